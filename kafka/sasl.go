package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// resolveSASL checks who we say we are, and that the password can be had.
func (r *resolved) resolveSASL() error {
	s := &r.SASL
	if s.Mechanism == oauthBearer {
		return r.resolveOAuth()
	}
	if s.OAuth.set() {
		return fmt.Errorf("a token is configured, but sasl.mechanism is %q: set it to OAUTHBEARER", s.Mechanism)
	}
	if s.Mechanism == "" {
		if s.Password != "" {
			return errors.New("a SASL password without a user: set sasl.username")
		}
		return nil
	}
	var errs []error
	if !slices.Contains(saslMechanisms, s.Mechanism) {
		errs = append(errs, fmt.Errorf("SASL mechanism %q is not supported; use one of %s", s.Mechanism, strings.Join(saslMechanisms, ", ")))
	}
	user, err := Expand(s.User)
	if err != nil {
		errs = append(errs, err)
	}
	s.User = user
	password, err := s.Password.Reveal()
	if err != nil {
		errs = append(errs, err)
	}
	if err == nil && (user == "" || password == "") {
		errs = append(errs, fmt.Errorf("SASL %s needs both sasl.username and sasl.password", s.Mechanism))
	}
	if s.Mechanism == "PLAIN" && !r.TLS.Enabled && !s.PlainWithoutTLS {
		errs = append(errs, errors.New("SASL PLAIN without TLS shows the password to the network: set security.protocol=SASL_SSL, use SCRAM-SHA-512, or set leat.sasl.plain.without.tls=true"))
	}
	return errors.Join(errs...)
}

// mechanism logs in; the password is resolved anew at each connection, so that a renewed file is
// used without a restart.
func (r *resolved) mechanism() sasl.Mechanism {
	user, password := r.SASL.User, r.SASL.Password
	scramAuth := func(context.Context) (scram.Auth, error) {
		pass, err := password.Reveal()
		return scram.Auth{User: user, Pass: pass}, err
	}
	switch r.SASL.Mechanism {
	case "PLAIN":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := password.Reveal()
			return plain.Auth{User: user, Pass: pass}, err
		})
	case "SCRAM-SHA-256":
		return scram.Sha256(scramAuth)
	case "SCRAM-SHA-512":
		return scram.Sha512(scramAuth)
	case oauthBearer:
		return r.bearer()
	}
	return nil
}

// jaas reads Java's login line: a class name, a flag, and options as name="value"; it ends with a
// semicolon.
func jaas(r *resolved, v string) error {
	class, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
	module := class[strings.LastIndexByte(class, '.')+1:]
	if module != "PlainLoginModule" && module != "ScramLoginModule" && module != bearerModule {
		return fmt.Errorf("login module %q is not supported; use PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule", module)
	}
	rest = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ";"))
	flag, rest, _ := strings.Cut(rest, " ")
	if flag != "required" {
		return errors.New("the class must be followed by the word required")
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return errors.New(`options must be written name="value"`)
		}
		value, left, err := jaasValue(strings.TrimSpace(after))
		if err != nil {
			return fmt.Errorf("option %s: %w", strings.TrimSpace(name), err)
		}
		if err := r.loginOption(module, strings.TrimSpace(name), value); err != nil {
			return err
		}
		rest = left
	}
	if r.SASL.Mechanism == "" {
		r.SASL.Mechanism = map[string]string{"PlainLoginModule": "PLAIN", bearerModule: oauthBearer}[module]
	}
	return nil
}

const bearerModule = "OAuthBearerLoginModule"

// loginOption is one option of the login line.
func (r *resolved) loginOption(module, name, value string) error {
	bearer := module == bearerModule
	extension, isExtension := strings.CutPrefix(name, "extension_")
	switch {
	case !bearer && name == "username":
		r.SASL.User = value
	case !bearer && name == "password":
		r.SASL.Password = Secret(value)
	case bearer && name == "clientId":
		r.SASL.OAuth.ClientID = value
	case bearer && name == "clientSecret":
		r.SASL.OAuth.ClientSecret = Secret(value)
	case bearer && name == "scope":
		r.SASL.OAuth.Scope = value
	case bearer && isExtension:
		r.extension(extension, value)
	case bearer:
		return fmt.Errorf("option %q is not supported; write clientId, clientSecret, scope, extension_NAME", name)
	default:
		return fmt.Errorf("option %q is not supported; write username and password", name)
	}
	return nil
}

// jaasValue reads a word, or text in quotes with backslash escapes, and returns what is left.
func jaasValue(s string) (value, rest string, err error) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		end := strings.IndexByte(s, ' ')
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], nil
	}
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		case s[i] == s[0]:
			return out.String(), s[i+1:], nil
		default:
			out.WriteByte(s[i])
		}
	}
	return "", "", errors.New("a quote is not closed")
}
