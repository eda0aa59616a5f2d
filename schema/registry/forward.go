package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// forwardTimeout bounds a request to the leader.
const forwardTimeout = 60 * time.Second

// headerFor names the user for whom a registry forwards a request.
const headerFor = "X-Leat-For"

// forwarder is how this registry reaches the others: it shows them its own certificate, and follows no
// redirects, for a leader gives none.
func forwarder(own *tls.Config) *http.Client {
	c := &http.Client{
		Timeout:       forwardTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if own != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: own.RootCAs, Certificates: own.Certificates}
		c.Transport = transport
	}
	return c
}

// leader waits for one while the registries choose.
func (c *call) leader() (url string, self bool) {
	patience := time.After(c.cfg.LogTimeout)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if url, self = c.cfg.Log.Leader(); self || url != "" {
			return url, self
		}
		select {
		case <-look.C:
		case <-patience:
			return "", false
		case <-c.r.Context().Done():
			return "", false
		}
	}
}

// forward sends a command to the registry that may write, and its answer to the client. done is
// false where that is this one. What was forwarded once is not forwarded again: two registries that
// each take the other for the leader would send it round for ever.
func (c *call) forward() (done bool, err error) {
	leader, self := c.leader()
	switch {
	case self:
		return false, nil
	case leader == "":
		return false, fault(50004, "Leader not known.")
	case c.r.Header.Get("X-Forward") != "":
		return false, fault(50003, "The request was forwarded to a registry that does not lead")
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), forwardTimeout)
	defer cancel()
	to, err := http.NewRequestWithContext(ctx, c.r.Method, leader+c.r.URL.RequestURI(), bytes.NewReader(c.body))
	if err != nil {
		return false, fault(50003, "Error while forwarding the request to the leader")
	}
	for _, name := range []string{"Content-Type", "Accept", "Authorization", "X-Request-ID"} {
		if v := c.r.Header.Get(name); v != "" {
			to.Header.Set(name, v)
		}
	}
	to.Header.Set("X-Forward", "true")
	if c.user != nil {
		to.Header.Set(headerFor, c.user.name)
	}
	answer, err := c.forwarder.Do(to)
	if err != nil {
		c.cfg.Logger.Warn("forward a request to the leader", slog.String("leader", leader), slog.Any("error", err))
		return false, fault(50003, "Error while forwarding the request to the leader")
	}
	defer answer.Body.Close()
	c.w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	c.w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(c.w, io.LimitReader(answer.Body, maxBody)) // a client that went away gets no answer
	return true, nil
}
