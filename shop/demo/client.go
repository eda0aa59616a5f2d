package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/ledger"
)

// client talks to the shop's services, each at one or more base URLs.
type client struct {
	http *http.Client
	at   map[string][]string // service -> base URLs
	turn atomic.Uint32
}

// again is how fast a request is sent again that got no answer, or 503.
var again = leat.Retry{Attempts: -1, Base: 20 * time.Millisecond, Max: time.Second}

const answerWithin = 15 * time.Second

func newClient() *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &client{http: &http.Client{Transport: transport, Timeout: answerWithin}, at: map[string][]string{}}
}

// findWithin is how long services may take to start.
const findWithin = 60 * time.Second

// find asks every base URL which of the services it has, and waits for those that are starting.
func (c *client) find(ctx context.Context, urls, services []string) error {
	deadline := time.Now().Add(findWithin)
	for _, base := range urls {
		base = strings.TrimSuffix(base, "/")
		for _, name := range services {
			resp, err := c.once(ctx, http.MethodGet, base+"/ledger/"+name, nil, "")
			for (err != nil || resp.status == http.StatusServiceUnavailable) && time.Now().Before(deadline) && pause(ctx, watchPause) {
				resp, err = c.once(ctx, http.MethodGet, base+"/ledger/"+name, nil, "")
			}
			if err != nil {
				return fmt.Errorf("look for service %s at %s: %w", name, base, err)
			}
			if resp.status == http.StatusOK {
				c.at[name] = append(c.at[name], base)
			}
		}
	}
	for _, name := range services {
		if len(c.at[name]) == 0 {
			return fmt.Errorf("service %s is at none of %s: name all services of the shop", name, strings.Join(urls, ", "))
		}
	}
	return nil
}

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) err(what string) error {
	var p api.Problem
	if json.Unmarshal(a.body, &p) != nil || p.Title == "" {
		p.Title = http.StatusText(a.status)
	}
	return fmt.Errorf("%s: %d %w", what, a.status, &p)
}

// do sends a request to one of a service's URLs until there is an answer other than 503. Every
// request of the demo may be sent again.
func (c *client) do(ctx context.Context, service, method, path, key string, body any) (answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return answer{}, fmt.Errorf("encode a request: %w", err)
		}
	}
	return c.send(ctx, service, method, path, key, payload)
}

func (c *client) send(ctx context.Context, service, method, path, key string, payload []byte) (answer, error) {
	urls := c.at[service]
	for attempt := 1; ; attempt++ {
		base := urls[int(c.turn.Add(1))%len(urls)]
		a, err := c.once(ctx, method, base+path, payload, key)
		if err == nil && a.status != http.StatusServiceUnavailable {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return answer{}, fmt.Errorf("%s %s: %w", method, path, errors.Join(context.Cause(ctx), err))
		case <-time.After(again.Delay(attempt, rand.Float64())):
		}
	}
}

func (c *client) once(ctx context.Context, method, url string, payload []byte, key string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(payload))
	if err != nil {
		return answer{}, fmt.Errorf("make a request: %w", err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer{resp.StatusCode, resp.Header, data}, nil
}

// get reads a JSON answer.
func get[T any](ctx context.Context, c *client, service, path string) (v T, err error) {
	a, err := c.do(ctx, service, http.MethodGet, path, "", nil)
	if err != nil {
		return v, err
	}
	if a.status != http.StatusOK {
		return v, a.err("GET " + path)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		return v, fmt.Errorf("read the answer to GET %s: %w", path, err)
	}
	return v, nil
}

// pages calls fn for every item of a listing.
func pages[T any](ctx context.Context, c *client, service, path string, fn func(T)) error {
	for after := ""; ; {
		q := url.Values{"limit": {"1000"}, "after": {after}}
		page, err := get[api.Page[T]](ctx, c, service, path+"?"+q.Encode())
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			fn(item)
		}
		if page.Next == "" {
			return nil
		}
		after = page.Next
	}
}

// summary is a service's account of itself; audit asks for what takes longer to find.
func (c *client) summary(ctx context.Context, service string, audit bool) (ledger.Summary, error) {
	path := "/ledger/" + service
	if audit {
		path += "?audit=1"
	}
	return get[ledger.Summary](ctx, c, service, path)
}

// metric sums a metric over all processes, by its name. A process that does not answer is left out,
// as long as each service has one that does.
func (c *client) metric(ctx context.Context, name string) (sum float64, err error) {
	asked, failed := map[string]bool{}, map[string]error{}
	for service, urls := range c.at {
		var errs []error
		for _, base := range urls {
			if !asked[base] {
				asked[base] = true
				a, err := c.once(ctx, http.MethodGet, base+"/metrics", nil, "")
				if err != nil {
					failed[base] = err
				}
				sum += sumMetric(string(a.body), name)
			}
			if failed[base] != nil {
				errs = append(errs, failed[base])
			}
		}
		if len(errs) == len(urls) {
			return 0, fmt.Errorf("read metrics of %s: %w", service, errors.Join(errs...))
		}
	}
	return sum, nil
}

// sumMetric adds up the samples of a metric in Prometheus' text format.
func sumMetric(text, name string) (sum float64) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) > 0 {
			v, err := strconv.ParseFloat(fields[0], 64)
			if err == nil {
				sum += v
			}
		}
	}
	return sum
}
