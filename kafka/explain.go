package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/oauth2"
)

// explain says what keeps the client out and what to try.
func (r *resolved) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what the client says then is only how it noticed
	}
	return &Error{
		Op:        "reach Kafka at " + strings.Join(r.Brokers, ","),
		Partition: -1,
		Err:       err,
		Hint:      r.hint(err),
	}
}

func (r *resolved) hint(err error) string {
	if hint := r.loginHint(err); hint != "" {
		return hint
	}
	if hint := r.tlsHint(err); hint != "" {
		return hint
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the name %s is not known here: check bootstrap.servers, and the name server or network this process runs in", e.Name)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: check host and port, and that the broker runs (without one at hand: leat dev)"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no way leads there from this machine: check the address, the network and the firewall"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return r.hungUpHint()
	case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "something may be there, but it says nothing that Kafka says: check host and port, a firewall in between, and whether the listener wants TLS (security.protocol)"
	case errors.Is(err, context.Canceled):
		return ""
	}
	return "check that a Kafka broker listens there, and whether that listener wants TLS or SASL (security.protocol)"
}

// loginHint is for a broker that talks and does not let us in.
func (r *resolved) loginHint(err error) string {
	if e, ok := errors.AsType[*tokenError](err); ok {
		return r.tokenHint(e)
	}
	switch {
	case errors.Is(err, errTokenRefused), r.SASL.Mechanism == oauthBearer && errors.Is(err, kerr.SaslAuthenticationFailed):
		return "check the audience, issuer and scope that it expects, the token's end, and both machines' clocks"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Sprintf("the broker refused user %q by %s: check sasl.username, sasl.password and sasl.mechanism", r.SASL.User, r.SASL.Mechanism)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Sprintf("the listener does not take %s: set sasl.mechanism to one it takes", r.SASL.Mechanism)
	case errors.Is(err, kerr.IllegalSaslState):
		return "the listener wants no SASL: check the port, or take sasl.* out"
	}
	return ""
}

// tokenHint is for a token that could not be had.
func (r *resolved) tokenHint(err *tokenError) string {
	if r.SASL.OAuth.TokenFile != "" {
		return "check leat.sasl.oauthbearer.token.file, and that this process may read it"
	}
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil && answer.Response.StatusCode < http.StatusInternalServerError {
		return "the token endpoint refused: check the client id, the secret and the scope"
	}
	return "check sasl.oauthbearer.token.endpoint.url, that this machine reaches it, and https.ca.location where its certificate is of an authority of your own"
}

// tlsHint is for a handshake that failed.
func (r *resolved) tlsHint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the broker's certificate is signed by an authority that is not trusted: set ssl.ca.location to that authority's PEM file"
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the broker's certificate does not speak for %s: use an address it names, or ssl.endpoint.identification.algorithm=none", e.Host)
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "the broker's certificate is not valid: check its dates and this machine's clock"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the listener does not speak TLS: check the port, or set security.protocol to PLAINTEXT or SASL_PLAINTEXT"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" { // an alert of TLS
		return "the broker ended the handshake: it may want a client certificate (ssl.certificate.location, ssl.key.location), or another one"
	}
	if _, ok := errors.AsType[*handshakeError](err); ok {
		return "TLS was begun and not answered as TLS: check the port, or set security.protocol to PLAINTEXT or SASL_PLAINTEXT"
	}
	return ""
}

// hungUpHint is for a broker that took the connection and closed it: what listeners do that expect
// something else.
func (r *resolved) hungUpHint() string {
	switch {
	case !r.TLS.Enabled:
		return "the broker hung up on the first request: the listener may want TLS (security.protocol=SSL or SASL_SSL) or SASL, or it is not Kafka"
	case r.SASL.Mechanism == "":
		return "the broker hung up after the handshake: the listener may want SASL, or a client certificate (ssl.certificate.location)"
	case r.SASL.Mechanism == oauthBearer:
		return "the broker hung up on the token: it may have ended, or the port is another listener's"
	default:
		return "the broker hung up: check that the port is the right listener of a Kafka broker"
	}
}
