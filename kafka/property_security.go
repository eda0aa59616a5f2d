package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// How Java's stores become what is read.
const (
	toTrusted  = "only PEM is read, which has no password; convert a JKS or PKCS#12 store with: keytool -list -rfc -keystore FILE > ca.pem"
	toIdentity = "only PEM is read; convert a PKCS#12 store with: openssl pkcs12 -in FILE -nodes -out me.pem (a JKS store first with: keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12)"
)

// securityProperties are those of TLS and SASL.
var securityProperties = map[string]property{
	"security.protocol":                     {apply: func(*resolved, string) error { return nil }}, // see applyProtocol
	"ssl.ca.location":                       {apply: func(r *resolved, v string) error { r.TLS.CA = v; return nil }},
	"ssl.ca.pem":                            {apply: pemText(func(r *resolved, v string) { r.TLS.CA = v })},
	"ssl.truststore.location":               {apply: func(r *resolved, v string) error { r.TLS.CA = v; return nil }},
	"ssl.truststore.certificates":           {apply: pemText(func(r *resolved, v string) { r.TLS.CA = v })},
	"ssl.truststore.type":                   {apply: only("PEM", "", toTrusted)},
	"ssl.truststore.password":               {refuse: "leave it out: " + toTrusted},
	"ssl.certificate.location":              {apply: func(r *resolved, v string) error { r.TLS.Cert = v; return nil }},
	"ssl.certificate.pem":                   {apply: pemText(func(r *resolved, v string) { r.TLS.Cert = v })},
	"ssl.keystore.certificate.chain":        {apply: pemText(func(r *resolved, v string) { r.TLS.Cert = v })},
	"ssl.keystore.location":                 {apply: func(r *resolved, v string) error { r.TLS.Cert = v; return nil }},
	"ssl.keystore.type":                     {apply: only("PEM", "", toIdentity)},
	"ssl.keystore.password":                 {refuse: "leave it out: " + toIdentity},
	"ssl.key.location":                      {apply: func(r *resolved, v string) error { r.TLS.Key = Secret(v); return nil }},
	"ssl.key.pem":                           {apply: pemText(func(r *resolved, v string) { r.TLS.Key = Secret(v) })},
	"ssl.keystore.key":                      {apply: pemText(func(r *resolved, v string) { r.TLS.Key = Secret(v) })},
	"ssl.key.password":                      {refuse: "keys with a password are not read; write the key without (openssl pkey) and guard the file"},
	"ssl.endpoint.identification.algorithm": {apply: identification},
	"enable.ssl.certificate.verification":   {apply: boolean(func(r *resolved, on bool) error { r.TLS.SkipVerify = !on; return nil })},
	"ssl.protocol":                          {apply: tlsVersions},
	"ssl.enabled.protocols":                 {apply: tlsVersions},
	"ssl.cipher.suites":                     {refuse: "Go chooses the cipher suites, of safe ones only; leave it out"},
	"ssl.curves.list":                       {refuse: "Go chooses the curves; leave it out"},
	"ssl.sigalgs.list":                      {refuse: "Go chooses the signature algorithms; leave it out"},
	"ssl.crl.location":                      {refuse: "revocation lists are not read"},
	"ssl.engine.factory.class":              {refuse: "Java classes do not run here"},
	"ssl.provider":                          {refuse: "Java security providers do not run here"},
	"ssl.keymanager.algorithm":              {refuse: "Java security providers do not run here"},
	"ssl.trustmanager.algorithm":            {refuse: "Java security providers do not run here"},
	"ssl.secure.random.implementation":      {refuse: "Java security providers do not run here"},

	"sasl.mechanism":                     {apply: saslMechanism},
	"sasl.mechanisms":                    {apply: saslMechanism},
	"sasl.username":                      {apply: func(r *resolved, v string) error { r.SASL.User = v; return nil }},
	"sasl.password":                      {apply: func(r *resolved, v string) error { r.SASL.Password = Secret(v); return nil }},
	"sasl.jaas.config":                   {apply: jaas},
	"sasl.client.callback.handler.class": {refuse: "Java classes do not run here"},
	"enable.sasl.oauthbearer.unsecure.jwt": {
		refuse: "a token that nobody signed proves nothing; use a token endpoint or a token file",
	},
	"sasl.oauthbearer.config":                           {refuse: "is for unsigned tokens, which prove nothing; use a token endpoint or a token file"},
	"sasl.oauthbearer.method":                           {apply: only("oidc", "", "only oidc is supported: a token endpoint")},
	"sasl.oauthbearer.token.endpoint.url":               {apply: func(r *resolved, v string) error { r.SASL.OAuth.TokenEndpoint = v; return nil }},
	"sasl.oauthbearer.client.id":                        {apply: oauthID},
	"sasl.oauthbearer.client.credentials.client.id":     {apply: oauthID},
	"sasl.oauthbearer.client.secret":                    {apply: oauthSecret},
	"sasl.oauthbearer.client.credentials.client.secret": {apply: oauthSecret},
	"sasl.oauthbearer.scope":                            {apply: func(r *resolved, v string) error { r.SASL.OAuth.Scope = v; return nil }},
	"sasl.oauthbearer.extensions":                       {apply: extensions},
	"sasl.oauthbearer.grant.type":                       {apply: only("client_credentials", "", "only client_credentials is supported")},
	"https.ca.location":                                 {apply: func(r *resolved, v string) error { r.SASL.OAuth.CA = v; return nil }},
	"https.ca.pem":                                      {apply: pemText(func(r *resolved, v string) { r.SASL.OAuth.CA = v })},
	"leat.sasl.oauthbearer.token.file":                  {apply: func(r *resolved, v string) error { r.SASL.OAuth.TokenFile = v; return nil }},
	"leat.sasl.plain.without.tls":                       {apply: boolean(func(r *resolved, on bool) error { r.SASL.PlainWithoutTLS = on; return nil })},
}

func pemText(set func(*resolved, string)) func(*resolved, string) error {
	return func(r *resolved, v string) error {
		v = strings.ReplaceAll(v, `\n`, "\n") // as it is written in one line
		if !isPEM(v) {
			return errors.New("is no PEM text (-----BEGIN ...); to name a file, use the .location property")
		}
		set(r, v)
		return nil
	}
}

// identification is how a broker's certificate is checked: Java's "" and librdkafka's "none" check
// the chain only.
func identification(r *resolved, v string) error {
	switch strings.ToLower(v) {
	case "", "none":
		r.TLS.SkipHostname = true
	case "https":
		r.TLS.SkipHostname = false
	default:
		return fmt.Errorf("%q is neither https nor none", v)
	}
	return nil
}

// tlsVersions reads the list of versions that are allowed; the lowest counts.
func tlsVersions(r *resolved, v string) error {
	r.TLS.MinVersion = tls.VersionTLS13
	for name := range strings.SplitSeq(v, ",") {
		switch strings.TrimSpace(name) {
		case "TLSv1.3":
		case "TLSv1.2", "TLS":
			r.TLS.MinVersion = tls.VersionTLS12
		default:
			return fmt.Errorf("%q is none of TLSv1.2, TLSv1.3", strings.TrimSpace(name))
		}
	}
	return nil
}

var saslMechanisms = []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", oauthBearer}

func oauthID(r *resolved, v string) error { r.SASL.OAuth.ClientID = v; return nil }

func oauthSecret(r *resolved, v string) error { r.SASL.OAuth.ClientSecret = Secret(v); return nil }

func saslMechanism(r *resolved, v string) error {
	if !slices.Contains(saslMechanisms, strings.ToUpper(v)) {
		return fmt.Errorf("%q is not supported; use one of %s", v, strings.Join(saslMechanisms, ", "))
	}
	r.SASL.Mechanism = strings.ToUpper(v)
	return nil
}

// applyProtocol holds security.protocol against the rest: it turns TLS and SASL on or off.
func (r *resolved) applyProtocol() error {
	protocol, ok := r.Properties["security.protocol"]
	if !ok {
		return nil
	}
	protocol = strings.ToUpper(strings.TrimSpace(protocol))
	wantTLS, wantSASL := false, false
	switch protocol {
	case "PLAINTEXT":
	case "SSL":
		wantTLS = true
	case "SASL_PLAINTEXT":
		wantSASL = true
	case "SASL_SSL":
		wantTLS, wantSASL = true, true
	default:
		return fmt.Errorf("property security.protocol: %q is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", protocol)
	}
	var errs []error
	if !wantTLS && r.TLS.set() {
		errs = append(errs, fmt.Errorf("property security.protocol: %s has no TLS, but TLS is configured; write SSL or SASL_SSL, or take the ssl properties out", protocol))
	}
	hasSASL := r.SASL.Mechanism != "" || r.SASL.User != "" || r.SASL.OAuth.set()
	if hasSASL != wantSASL {
		if wantSASL {
			errs = append(errs, fmt.Errorf("property security.protocol: %s needs sasl.mechanism, and sasl.username and sasl.password or a token", protocol))
		} else {
			errs = append(errs, fmt.Errorf("property security.protocol: %s has no SASL, but a user or a mechanism is configured; write SASL_SSL", protocol))
		}
	}
	r.TLS.Enabled = wantTLS
	return errors.Join(errs...)
}
