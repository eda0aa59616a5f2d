package schema

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatdev/leat"
)

// ClientConfig says where a schema registry is and who asks.
type ClientConfig struct {
	// URLs are the registry's instances, asked in this order until one answers. A path such as
	// /contexts/.staging is kept: everything then happens in that context. Required.
	URLs []string

	User, Password string      // HTTP basic authentication; "": none
	Token          string      // bearer token; "": none
	TLS            *tls.Config // nil: the system's roots

	Timeout time.Duration // of one request; 0: 5 s
	// Transport replaces the network, for tests; nil: the network.
	Transport http.RoundTripper
}

// Client asks a schema registry by the HTTP API of Confluent's. It is safe for concurrent use.
type Client struct {
	sr   *sr.Client
	urls []string
}

var _ Registry = (*Client)(nil)

// NewClient makes a client; it asks nothing yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	opts := []sr.ClientOpt{
		sr.URLs(cfg.URLs...), sr.UserAgent("leat"),
		sr.HTTPClient(&http.Client{Timeout: timeout, Transport: capped{cfg.transport()}}),
	}
	if cfg.User != "" {
		opts = append(opts, sr.BasicAuth(cfg.User, cfg.Password))
	}
	if cfg.Token != "" {
		opts = append(opts, sr.BearerToken(cfg.Token))
	}
	cl, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make a client of the schema registry: %w", err)
	}
	return &Client{sr: cl, urls: cfg.URLs}, nil
}

// Validate reports all that is wrong with the configuration.
func (c ClientConfig) Validate() error {
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, errors.New("no URL of a schema registry"))
	}
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil:
			errs = append(errs, errors.New("a URL of the schema registry can't be read: want http://HOST:PORT or https://HOST:PORT"))
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
			errs = append(errs, fmt.Errorf("schema registry %q: want http://HOST:PORT or https://HOST:PORT", u.Redacted()))
		case u.User != nil:
			errs = append(errs, fmt.Errorf("schema registry %s: give user and password by their own settings, not in the URL", u.Redacted()))
		case u.RawQuery != "" || u.Fragment != "":
			errs = append(errs, fmt.Errorf("schema registry %s: a query or fragment has no meaning here", u.Redacted()))
		}
	}
	if c.User != "" && c.Token != "" {
		errs = append(errs, errors.New("schema registry: give a user or a token, not both"))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("schema registry: Timeout is %v, want a positive duration, or 0 for 5s", c.Timeout))
	}
	return errors.Join(errs...)
}

// maxAnswer is the largest body that is read, in bytes: a registry takes schemas up to 1 MiB or so.
const maxAnswer = 32 << 20

func (c ClientConfig) transport() http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = c.TLS
	return t
}

// capped reads no body past maxAnswer.
type capped struct{ http.RoundTripper }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// URL is the registry's first address.
func (c *Client) URL() string { return strings.TrimSuffix(c.urls[0], "/") }

// registerOp is what Register does, before the subject.
const registerOp = "register a schema as "

// Register makes the text a version of the subject, or finds it among them.
func (c *Client) Register(ctx context.Context, subject string, r Registered, normalize bool) (Registered, error) {
	got := Registered{}
	err := c.Do(ctx, registerOp+subject, http.MethodPost, "/subjects/"+url.PathEscape(subject)+"/versions",
		url.Values{"normalize": {strconv.FormatBool(normalize)}}, question(r), &got)
	if err != nil || got.Version != 0 {
		return complete(got, subject, r), err
	}
	return c.Lookup(ctx, subject, r, normalize) // a registry before 8.0 tells the id and no more
}

// Lookup finds the version of the subject that has the text.
func (c *Client) Lookup(ctx context.Context, subject string, r Registered, normalize bool) (Registered, error) {
	got := Registered{}
	err := c.Do(ctx, "look up a schema of "+subject, http.MethodPost, "/subjects/"+url.PathEscape(subject),
		url.Values{"normalize": {strconv.FormatBool(normalize)}, "deleted": {"false"}}, question(r), &got)
	return complete(got, subject, r), err
}

// Judge says whether Register would take text as a version of the subject.
func (c *Client) Judge(ctx context.Context, subject string, r Registered, normalize bool) error {
	var got struct {
		Compatible bool     `json:"is_compatible"`
		Messages   []string `json:"messages"`
	}
	op, path := "ask whether "+subject+" would take a schema", "/compatibility/subjects/"+url.PathEscape(subject)+"/versions"
	query := url.Values{"verbose": {"true"}, "normalize": {strconv.FormatBool(normalize)}}
	err := c.Do(ctx, op, http.MethodPost, path, query, question(r), &got)
	if e, ok := errors.AsType[*RegistryError](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed) {
		err = c.Do(ctx, op, http.MethodPost, path+"/latest", query, question(r), &got) // a registry before 6.2
	}
	if err != nil || got.Compatible {
		return err
	}
	why := strings.Join(got.Messages, ", ")
	return fmt.Errorf("%s: %w: %s%s", op, ErrIncompatible, why, lenientHint(subject, why))
}

// Version is a version of the subject; -1: the latest.
func (c *Client) Version(ctx context.Context, subject string, version int) (Registered, error) {
	name := strconv.Itoa(version)
	if version == -1 {
		name = "latest"
	}
	got := Registered{}
	err := c.Do(ctx, fmt.Sprintf("get version %s of %s", name, subject), http.MethodGet,
		"/subjects/"+url.PathEscape(subject)+"/versions/"+name, nil, nil, &got)
	return complete(got, subject, Registered{}), err
}

// ByID is the schema with the id.
func (c *Client) ByID(ctx context.Context, id int32) (Registered, error) {
	got := Registered{}
	err := c.Do(ctx, fmt.Sprintf("get schema %d", id), http.MethodGet, fmt.Sprintf("/schemas/ids/%d", id),
		url.Values{"fetchMaxId": {"false"}}, nil, &got)
	got.ID = id
	return complete(got, "", Registered{}), err
}

// ByGUID is the schema with the GUID.
func (c *Client) ByGUID(ctx context.Context, guid GUID) (Registered, error) {
	got := Registered{}
	err := c.Do(ctx, "get schema "+guid.String(), http.MethodGet, "/schemas/guids/"+guid.String(), nil, nil, &got)
	got.GUID = guid.String()
	return complete(got, "", Registered{}), err
}

// question is the body of Register and Lookup: what the registry gives itself stays out.
func question(r Registered) Registered {
	q := Registered{Type: r.Type, Text: r.Text, References: r.References}
	if q.Type == Avro {
		q.Type = "" // what older registries know
	}
	return q
}

func complete(got Registered, subject string, asked Registered) Registered {
	if got.Subject == "" {
		got.Subject = subject
	}
	if got.Text == "" {
		got.Text, got.References = asked.Text, asked.References
	}
	if got.Type == "" {
		got.Type = asked.Type
	}
	if got.Type == "" {
		got.Type = Avro
	}
	return got
}

// Do sends a request and reads the answer into into, nil: it is not looked at. op says what is done,
// for errors. It is the way to the endpoints that have no method here.
func (c *Client) Do(ctx context.Context, op, method, path string, query url.Values, body, into any) error {
	if query != nil {
		ctx = sr.WithParams(ctx, sr.RawParams(query))
	}
	err := c.sr.Do(ctx, method, path, body, into)
	if err == nil {
		return nil
	}
	answer, ok := errors.AsType[*sr.ResponseError](err)
	if !ok {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", op, context.Cause(ctx))
		}
		return leat.Unavailable(fmt.Errorf("%s: the schema registry at %s can't be reached: %w%s", op, c.URL(), err, reachHint(err)))
	}
	e := &RegistryError{Op: op, Status: answer.StatusCode, Code: answer.ErrorCode, Message: answer.Message}
	if raw := strings.TrimSpace(string(answer.Raw)); e.Message == "" && len(raw) < 200 && !strings.ContainsAny(raw, "<\n") {
		e.Message = raw // a line of somebody who is no registry: a proxy, or TLS asked for nothing
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.Status)
	}
	switch {
	case e.Status == http.StatusNotFound:
		e.kind = ErrNotFound
	case e.Status == http.StatusConflict:
		e.kind = ErrIncompatible
	case e.Status >= 500, e.Status == http.StatusTooManyRequests, e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		// Also where the rights are wrong: that is nobody's event's fault, and it ends when they are mended.
		return leat.Unavailable(e)
	default:
		e.kind = ErrRejected
	}
	return e
}
