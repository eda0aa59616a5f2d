package schema

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// hint says what to try where a registry refuses.
func (e *RegistryError) hint() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "; check registry.user or registry.token, or registry.cert where it knows users by certificates"
	case e.Status == http.StatusForbidden:
		return "; the registry's administrator gives this right"
	case e.Status == http.StatusBadRequest && strings.Contains(e.Message, "HTTPS"):
		return "; give its URL with https://"
	case e.Status == http.StatusConflict:
		subject, _ := strings.CutPrefix(e.Op, registerOp)
		return lenientHint(subject, e.Message)
	}
	return ""
}

// closedModel is what a registry that is STRICT has against a property less in a closed JSON Schema, and
// against one more where old readers meet new data. Schemas of Go types are closed.
const closedModel = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"

// lenientHint says what to do about a reason that breaks no Go type.
func lenientHint(subject, reasons string) string {
	if !strings.Contains(reasons, closedModel) {
		return ""
	}
	return "; " + closedModel + " breaks no reader that passes over what it does not know, as Go types do, and is no reason under LENIENT: leat schema config " + subject + " --policy LENIENT --yes"
}

// reachHint says what to try where nobody answers.
func reachHint(err error) string {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, dns := errors.AsType[*net.DNSError](err)
	switch text := err.Error(); {
	case unknown:
		return "; its certificate is signed by an authority that is not trusted: set registry.ca to that authority's PEM file"
	case invalid:
		return "; its certificate is not valid: check its dates and this machine's clock"
	case host:
		return "; its certificate does not speak for that name: use one that it names"
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "; it has no TLS: give its URL with http://"
	case strings.Contains(text, "remote error: tls:"):
		return "; it ended the handshake: it may want a client certificate (registry.cert, registry.key), or another one"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; nothing listens there: check registry.url, and that it runs"
	case dns:
		return "; that name has no address: check registry.url"
	}
	return ""
}
