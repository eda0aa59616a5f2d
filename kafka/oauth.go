package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	bearing "github.com/twmb/franz-go/pkg/sasl/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const oauthBearer = "OAUTHBEARER"

// OAuthConfig says where the token of SASL OAUTHBEARER (KIP-255, KIP-768, RFC 7628) comes from: a
// file that somebody else renews, or a token endpoint that gives one for the client's credentials
// (RFC 6749, 4.4). Exactly one of TokenFile and TokenEndpoint is set.
type OAuthConfig struct {
	// TokenFile is a file with a JWT, as orchestrators mount one; it is read again at each
	// connection.
	TokenFile string
	// TokenEndpoint is the URL of the token endpoint: https, or http on this machine itself. It is
	// asked directly: no redirect is followed.
	TokenEndpoint string
	// ClientID is who asks; references are resolved.
	ClientID string
	// ClientSecret is the password of who asks.
	ClientSecret Secret
	// Scope is what is asked for, several with spaces; "": what the endpoint gives by itself.
	Scope string
	// CA is a PEM file, or PEM text, of the authorities that sign the endpoint's certificate; "":
	// the system's.
	CA string
	// Extensions go to the broker beside the token (KIP-342).
	Extensions map[string]string
}

func (o OAuthConfig) set() bool {
	return o.TokenFile != "" || o.TokenEndpoint != "" || o.ClientID != "" || o.ClientSecret != ""
}

// What one question to the token endpoint may take. A token that ends within early is asked for anew.
const (
	tokenTime  = 10 * time.Second
	tokenEarly = time.Minute
)

// resolveOAuth checks that a token can be had, and prepares the asking.
func (r *resolved) resolveOAuth() error {
	o := &r.SASL.OAuth
	if r.SASL.User != "" || r.SASL.Password != "" {
		return errors.New("SASL OAUTHBEARER takes no sasl.username and sasl.password: the token says who we are")
	}
	if !r.TLS.Enabled && !r.SASL.PlainWithoutTLS {
		return errors.New("SASL OAUTHBEARER without TLS shows the token to the network: set security.protocol=SASL_SSL, or leat.sasl.plain.without.tls=true")
	}
	if err := validExtensions(o.Extensions); err != nil {
		return err
	}
	switch {
	case o.TokenFile != "" && o.TokenEndpoint != "":
		return errors.New("SASL OAUTHBEARER has both a token file and a token endpoint: keep one of leat.sasl.oauthbearer.token.file and sasl.oauthbearer.token.endpoint.url")
	case o.TokenFile != "":
		_, err := tokenOf(o.TokenFile)
		return err
	case o.TokenEndpoint == "":
		return errors.New("SASL OAUTHBEARER needs a token: set sasl.oauthbearer.token.endpoint.url with a client id and secret, or leat.sasl.oauthbearer.token.file")
	}
	id, err := Expand(o.ClientID)
	secret, err2 := o.ClientSecret.Reveal()
	if err := errors.Join(err, err2, validEndpoint(o.TokenEndpoint)); err != nil {
		return err
	}
	o.ClientID = id
	if id == "" || secret == "" {
		return errors.New("the token endpoint wants to know who asks: set sasl.oauthbearer.client.credentials.client.id and .client.secret")
	}
	client, err := o.httpClient()
	if err != nil {
		return err
	}
	r.tokens = oauth2.ReuseTokenSourceWithExpiry(nil, asking{o, client}, tokenEarly)
	return nil
}

// validEndpoint keeps secrets off the network and the endpoint out of files: the URL comes from
// configuration, but whoever writes a configuration need not be allowed to read this machine.
func validEndpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("token endpoint: %w", err)
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if host := u.Hostname(); host == "localhost" || net.ParseIP(host).IsLoopback() {
			return nil
		}
		return fmt.Errorf("token endpoint %s: http shows the client's secret to the network; use https", u.Redacted())
	case "file":
		return fmt.Errorf("token endpoint %s: is a file; set leat.sasl.oauthbearer.token.file to its path", u.Redacted())
	}
	return fmt.Errorf("token endpoint %s: write https://host/path", u.Redacted())
}

// validExtensions is KIP-342's rule: names are letters, values are printable.
func validExtensions(extensions map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(extensions)) {
		letters := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
		if name == "" || name == "auth" || !letters {
			return fmt.Errorf("SASL extension %q: names are letters, and not auth", name)
		}
		if strings.ContainsFunc(extensions[name], func(c rune) bool { return c < ' ' && c != '\t' && c != '\r' && c != '\n' || c > '~' }) {
			return fmt.Errorf("SASL extension %s: its value has bytes that are not printable ASCII", name)
		}
	}
	return nil
}

// httpClient asks the endpoint and nobody else.
func (o *OAuthConfig) httpClient() (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		var err error
		if conf.RootCAs, err = pool(o.CA); err != nil {
			return nil, fmt.Errorf("token endpoint: %w", err)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = conf
	return &http.Client{
		Timeout:   tokenTime,
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the token endpoint redirects; set its final address")
		},
	}, nil
}

// asking is the source of tokens that asks the endpoint each time.
type asking struct {
	cfg    *OAuthConfig
	client *http.Client
}

// Token asks the endpoint; the secret is resolved anew, so that a renewed file is used without a
// restart.
func (a asking) Token() (*oauth2.Token, error) {
	secret, err := a.cfg.ClientSecret.Reveal()
	if err != nil {
		return nil, &tokenError{a.cfg.TokenEndpoint, err}
	}
	config := clientcredentials.Config{
		ClientID: a.cfg.ClientID, ClientSecret: secret, TokenURL: a.cfg.TokenEndpoint,
		Scopes: strings.Fields(a.cfg.Scope), AuthStyle: oauth2.AuthStyleInHeader,
	}
	// The client bounds the time; the context only carries it.
	token, err := config.Token(context.WithValue(context.Background(), oauth2.HTTPClient, a.client))
	if err != nil {
		return nil, &tokenError{a.cfg.TokenEndpoint, err}
	}
	return token, nil
}

// bearer is the mechanism: a token for each connection, and again when its session ends (KIP-368).
func (r *resolved) bearer() sasl.Mechanism {
	o := r.SASL.OAuth
	return refusing{bearing.Oauth(func(context.Context) (auth bearing.Auth, err error) {
		auth.Extensions = o.Extensions
		if o.TokenFile != "" {
			auth.Token, err = tokenOf(o.TokenFile)
			return auth, err
		}
		token, err := r.tokens.Token()
		if err == nil {
			auth.Token = token.AccessToken
		}
		return auth, err
	})}
}

// refusing keeps what the broker says of a token that it does not take, which franz-go drops.
type refusing struct{ sasl.Mechanism }

// Authenticate begins as the mechanism does.
func (m refusing) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	s, first, err := m.Mechanism.Authenticate(ctx, host)
	return refusingSession{s}, first, err
}

type refusingSession struct{ sasl.Session }

// Challenge ends a session whose broker answers the token with anything: RFC 7628, 3.2.2.
func (s refusingSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) > 0 {
		return false, nil, fmt.Errorf("%w: %.200q", errTokenRefused, answer)
	}
	return s.Session.Challenge(answer)
}

var errTokenRefused = errors.New("the broker refused the token")

// maxToken bounds a token's file: a token goes into one request.
const maxToken = 64 << 10

// tokenOf reads the token in a file.
func tokenOf(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", &tokenError{file, err}
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", &tokenError{file, errors.New("the file holds no token: one line of printable ASCII")}
	}
	return token, nil
}

// tokenError says that there is no token to show to the broker.
type tokenError struct {
	from string
	err  error
}

// Error names the source. What an endpoint answered is cut short: it may be a page of HTML.
func (e *tokenError) Error() string {
	text := e.err.Error()
	if answer, ok := errors.AsType[*oauth2.RetrieveError](e.err); ok {
		text = "no answer"
		if answer.Response != nil {
			text = answer.Response.Status
		}
		if answer.ErrorCode != "" {
			text += ": " + answer.ErrorCode + " " + answer.ErrorDescription
		}
	}
	return fmt.Sprintf("get a token from %s: %s", e.from, text)
}

func (e *tokenError) Unwrap() error { return e.err }

// extensions reads librdkafka's list: name=value,name=value.
func extensions(r *resolved, v string) error {
	for pair := range strings.SplitSeq(v, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return errors.New("write name=value, several with commas")
		}
		r.extension(name, value)
	}
	return nil
}

func (r *resolved) extension(name, value string) {
	all := maps.Clone(r.SASL.OAuth.Extensions)
	if all == nil {
		all = map[string]string{}
	}
	all[name] = value
	r.SASL.OAuth.Extensions = all
}
