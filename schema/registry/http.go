package registry

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/leatdev/leat/internal/telemetry"
)

// maxBody is how large a request's body may be, in bytes: several times the largest record.
const maxBody = 4 << 20

// call is one request on its way to its answer.
type call struct {
	*Server
	w       http.ResponseWriter
	r       *http.Request
	route   *route
	path    []string // decoded, segment by segment, the context's part taken in
	query   url.Values
	body    []byte
	subject string // of the path or the query, with its alias followed
	user    *user  // nil: everyone may do everything
}

// text is an answer that is written as it is, not as a JSON string.
type text string

// none is an answer without a body.
type none struct{}

// handler is the way of every request: its id, what it may ask for, who asks, and the answer.
func (s *Server) handler() http.Handler {
	return telemetry.Edge(nil, s.metrics.requests, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Server: s, w: w, r: r, query: r.URL.Query()}
		w.Header().Set("X-Request-ID", requestID(r.Header.Get("X-Request-ID")))
		w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		media, ok := negotiate(r.Header.Values("Accept"))
		if !ok {
			media = mediaTypes[0]
		}
		w.Header().Set("Content-Type", media)
		if !ok {
			c.fail(fault(http.StatusNotAcceptable, "HTTP 406 Not Acceptable"))
			return
		}
		answer, err := c.run()
		switch {
		case err != nil:
			c.fail(err)
		case answer != nil:
			c.reply(http.StatusOK, answer)
		}
	}))
}

// run finds the route and carries it out. A panic is a fault of ours: the client learns no more than
// that.
func (c *call) run() (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
				panic(p)
			}
			c.cfg.Logger.Error("a request to the registry panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = errors.New("panic")
		}
	}()
	if err := c.findRoute(); err != nil {
		return nil, err
	}
	if err := c.admit(); err != nil {
		return nil, err
	}
	if err := c.readBody(); err != nil {
		return nil, err
	}
	if c.route.writes {
		if done, err := c.forward(); done || err != nil {
			return nil, err
		}
	}
	return c.route.serve(c)
}

func (c *call) findRoute() error {
	segments, err := splitPath(c.r.URL.EscapedPath())
	if err != nil {
		return fault(http.StatusBadRequest, "HTTP 400 Bad Request")
	}
	if c.path, err = rewrite(segments, c.query); err != nil {
		return err
	}
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	route, known := find(method, c.path)
	switch {
	case route == nil && known:
		return fault(http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed")
	case route == nil:
		return fault(http.StatusNotFound, "HTTP 404 Not Found")
	}
	c.route = route
	c.r.Pattern = route.method + " " + route.pattern
	c.subject = route.subjectOf(c)
	return nil
}

// readBody reads what a POST or PUT brings, if it is of a kind that is understood.
func (c *call) readBody() error {
	if c.r.Method != http.MethodPost && c.r.Method != http.MethodPut {
		return nil
	}
	if !understood(c.r.Header.Get("Content-Type")) {
		return fault(http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type")
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return fault(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes", maxBody)
		}
		return fault(http.StatusBadRequest, "The body could not be read")
	}
	c.body = body
	return nil
}

// decode reads the body's JSON.
func (c *call) decode(to any) error {
	if len(c.body) == 0 {
		return fault(http.StatusUnprocessableEntity, "The body is empty")
	}
	if err := json.Unmarshal(c.body, to); err != nil {
		return fault(http.StatusBadRequest, "The body is not what was expected: %v", err)
	}
	return nil
}

func (c *call) reply(status int, answer any) {
	switch a := answer.(type) {
	case none:
		c.w.Header().Del("Content-Type")
		c.w.WriteHeader(http.StatusNoContent)
		return
	case text:
		c.w.WriteHeader(status)
		_, _ = io.WriteString(c.w, string(a)) // a client that went away gets no answer
		return
	}
	body := compactJSON(answer)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// wireFault is the body of every refusal.
type wireFault struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (c *call) fail(err error) {
	f := faultOf(err)
	if f.Status >= 500 {
		c.cfg.Logger.Warn("a request to the registry failed", slog.String("route", c.r.Pattern), slog.Any("error", err))
	}
	if f.Status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="schema registry", charset="UTF-8"`)
	}
	c.reply(f.Status, wireFault{f.Code, f.Message})
}

// flag is a query parameter that is true or not.
func (c *call) flag(name string) bool { return strings.EqualFold(c.query.Get(name), "true") }

// number is a query parameter, or what is to be taken without it.
func (c *call) number(name string, otherwise int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fault(http.StatusNotFound, "HTTP 404 Not Found")
	}
	return n, nil
}

// page cuts a list as the request asks for; at most most, 0: any number.
func page[T any](c *call, all []T, most int) ([]T, error) {
	offset, err := c.number("offset", 0)
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit", -1)
	if err != nil {
		return nil, err
	}
	all = all[min(max(offset, 0), len(all)):]
	if limit <= 0 || most > 0 && limit > most {
		limit = most
	}
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	if all == nil {
		all = []T{}
	}
	return all, nil
}

// requestID is the client's own, or a new one where that is none.
func requestID(given string) string {
	printable := func(r rune) bool { return r < 0x21 || r > 0x7e }
	if given != "" && len(given) <= 128 && strings.IndexFunc(given, printable) < 0 {
		return given
	}
	return fmt.Sprintf("%x", []byte(rand.Text()))[:32]
}

// splitPath takes a path apart and decodes each segment by itself: a subject may hold slashes.
func splitPath(escaped string) ([]string, error) {
	segments := strings.Split(strings.Trim(escaped, "/"), "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		segments[i] = plain
	}
	if len(segments) == 1 && segments[0] == "" {
		return nil, nil
	}
	return segments, nil
}
