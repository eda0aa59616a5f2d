package shop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
)

// running is the shop on an embedded broker and SQLite, behind its real HTTP API.
type running struct {
	t     *testing.T
	url   string
	stack *devstack.Stack
}

func run(t *testing.T, cfg shop.Config) *running {
	t.Helper()
	dir := t.TempDir()
	stack, err := devstack.Open(t.Context(), devstack.Config{Dir: dir, Registry: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() })
	level := slog.LevelError
	if os.Getenv("LEAT_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
	cluster := stack.Config()
	cluster.Properties = map[string]string{"session.timeout.ms": "300000"} // a machine that stands still takes no event from its handler
	host, err := service.NewHost(service.HostConfig{
		Kafka: cluster, DatabaseURL: "sqlite:" + dir, Services: shop.Services(cfg), Logger: log,
		Registry: service.RegistryConfig{URLs: []string{stack.Registry()}, Schemas: service.SchemasRegister},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- host.Run(ctx) }()
	server := httptest.NewServer(host.Handler())
	t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	leattest.Eventually(t, "the shop is ready", host.Ready)
	return &running{t: t, url: server.URL, stack: stack}
}

// call sends a request and decodes a JSON answer into out.
func (r *running) call(method, path, key string, body, out any) *http.Response {
	r.t.Helper()
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		payload = bytes.NewBufferString(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			r.t.Fatalf("%s %s: %v in %s", method, path, err, data)
		}
	}
	return resp
}

type shown struct {
	order.View
	Timeline []ledger.Entry `json:"timeline"`
}

func basket(customer string, items ...contract.Item) order.Request {
	if items == nil {
		items = []contract.Item{{SKU: "tea", Quantity: 2, UnitPrice: 999}}
	}
	return order.Request{CustomerID: customer, Currency: "EUR", Items: items}
}

func (r *running) stock(sku string, quantity int64) {
	r.t.Helper()
	if resp := r.call("PUT", "/stock/"+sku, "", map[string]int64{"quantity": quantity}, nil); resp.StatusCode != 200 {
		r.t.Fatalf("count %s: %s", sku, resp.Status)
	}
}

func (r *running) place(key string, req order.Request) (location string) {
	r.t.Helper()
	resp := r.call("POST", "/orders", key, req, nil)
	if resp.StatusCode != http.StatusAccepted {
		r.t.Fatalf("place: %s", resp.Status)
	}
	return resp.Header.Get("Location")
}

func (r *running) ended(location string) (o shown) {
	r.t.Helper()
	leattest.Eventually(r.t, "the order has ended", func() error {
		o = shown{}
		r.call("GET", location, "", nil, &o)
		if !o.State.Ended() {
			return fmt.Errorf("it is %s", o.State)
		}
		return nil
	})
	return o
}

func TestOrderGoesThroughTheWholeShop(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 10)
	o := r.ended(r.place("k1", basket("ada")))
	if o.State != order.Completed || o.Total != (contract.Money{Amount: 1998, Currency: "EUR"}) {
		t.Fatalf("got %+v", o.View)
	}
	leattest.Eventually(t, "the timeline is whole", func() error {
		r.call("GET", "/orders/"+o.OrderID, "", nil, &o)
		if len(o.Timeline) != 7 {
			return fmt.Errorf("it has %d entries", len(o.Timeline))
		}
		return nil
	})
	for _, e := range o.Timeline {
		if e.Service == "" || e.Topic == "" || e.At.IsZero() || e.EventID == "" {
			t.Errorf("entry %+v", e)
		}
	}
	var tea struct{ Available, Taken int64 }
	r.call("GET", "/stock/tea", "", nil, &tea)
	if tea.Available != 8 || tea.Taken != 2 {
		t.Errorf("stock is %+v", tea)
	}
}

// TestEventsAreAvroByTheRegistry reads what lies on the shop's topics.
func TestEventsAreAvroByTheRegistry(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 10)
	r.ended(r.place("k1", basket("ada")))
	registry, err := schema.NewClient(schema.ClientConfig{URLs: []string{r.stack.Registry()}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	client := broker.Open(t, r.stack.Config())
	topics := map[string]int{contract.Orders.Name: 0, contract.Payments.Name: 0, contract.Inventory.Name: 0}
	for w, err := range client.Tail(t.Context(), kafka.TailConfig{Topics: slices.Collect(maps.Keys(topics))}) {
		if err != nil {
			t.Fatal(err)
		}
		topics[w.Position().Topic]++
		frame, _, _, err := schema.ReadFrame(w.Header(schema.HeaderValueSchema), w.Value())
		if err != nil {
			t.Fatalf("%v: %v", w.Position(), err)
		}
		got, err := registry.ByID(t.Context(), frame.ID)
		if err != nil || got.Type != schema.Avro || !strings.Contains(got.Text, `"name":"`+w.Attribute("type")[strings.LastIndexByte(w.Attribute("type"), '.')+1:]) {
			t.Errorf("%v, %s, is written by %v: %+v %v", w.Position(), w.Attribute("type"), frame, got, err)
		}
	}
	for topic, n := range topics {
		if n == 0 {
			t.Errorf("%s holds no event", topic)
		}
	}
}

func (r *running) problem(method, path, key, body string, status int) {
	r.t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	resp := r.call(method, path, key, body, &p)
	if resp.StatusCode != status || p.Status != status || p.Title == "" || p.Type == "" || p.Detail == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("%s %s %q: got %s, %s, %+v, want %d", method, path, body, resp.Status, resp.Header.Get("Content-Type"), p, status)
	}
}

func TestBadRequestsGetProblemsAndChangeNothing(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 10)
	good := `{"customer_id":"ada","currency":"EUR","items":[{"sku":"tea","quantity":1,"unit_price":5}]}`
	long := `{"customer_id":"` + strings.Repeat("a", 70<<10) + `"}`
	for _, c := range []struct {
		method, path, key, body string
		status                  int
	}{
		{"POST", "/orders", "", good, 400},
		{"POST", "/orders", strings.Repeat("k", 256), good, 400},
		{"POST", "/orders", "k", "", 400},
		{"POST", "/orders", "k", `{`, 400},
		{"POST", "/orders", "k", `[]`, 400},
		{"POST", "/orders", "k", good + good, 400},
		{"POST", "/orders", "k", strings.Replace(good, "currency", "curency", 1), 400},
		{"POST", "/orders", "k", strings.Replace(good, `"quantity":1`, `"quantity":"1"`, 1), 400},
		{"POST", "/orders", "k", long, 413},
		{"POST", "/orders", "k", strings.Replace(good, `"ada"`, `""`, 1), 422},
		{"POST", "/orders", "k", strings.Replace(good, `"ada"`, `"a\u0000b"`, 1), 422},
		{"POST", "/orders", "k", strings.Replace(good, "EUR", "euro", 1), 422},
		{"POST", "/orders", "k", strings.Replace(good, `"quantity":1`, `"quantity":0`, 1), 422},
		{"POST", "/orders", "k", strings.Replace(good, `"quantity":1`, `"quantity":-1`, 1), 422},
		{"POST", "/orders", "k", strings.Replace(good, `"unit_price":5`, `"unit_price":-5`, 1), 422},
		{"POST", "/orders", "k", strings.Replace(good, `"tea"`, `"t e a"`, 1), 422},
		{"POST", "/orders", "k", `{"customer_id":"ada","currency":"EUR","items":[]}`, 422},
		{"GET", "/orders/nobody", "", "", 404},
		{"POST", "/orders/nobody/cancel", "", "", 404},
		{"GET", "/orders/nobody/timeline", "", "", 404},
		{"GET", "/orders?limit=0", "", "", 400},
		{"GET", "/orders?limit=1001", "", "", 400},
		{"GET", "/orders?state=lost", "", "", 400},
		{"GET", "/stock/nothing", "", "", 404},
		{"PUT", "/stock/tea", "", `{}`, 422},
		{"PUT", "/stock/tea", "", `{"quantity":-1}`, 422},
		{"PUT", "/stock/t%20ea", "", `{"quantity":1}`, 422},
	} {
		r.problem(c.method, c.path, c.key, c.body, c.status)
	}
	var page struct{ Items []order.View }
	r.call("GET", "/orders", "", nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("bad requests made %d orders", len(page.Items))
	}
	var tea struct{ Available int64 }
	if r.call("GET", "/stock/tea", "", nil, &tea); tea.Available != 10 {
		t.Errorf("bad requests moved stock to %d", tea.Available)
	}
}

func TestOneOrderPerIdempotencyKey(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 1000)
	places := make(chan string, 20)
	var wait sync.WaitGroup
	for range cap(places) {
		wait.Go(func() { places <- r.place("same", basket("ada")) })
	}
	wait.Wait()
	close(places)
	first := <-places
	for other := range places {
		if other != first {
			t.Errorf("one key made %s and %s", first, other)
		}
	}
	r.problem("POST", "/orders", "same", `{"customer_id":"bob","currency":"EUR","items":[{"sku":"tea","quantity":1,"unit_price":5}]}`, 422)
	r.ended(first)
	if again := r.place("same", basket("ada")); again != first {
		t.Errorf("after its end the key made %s", again)
	}
}

func TestOrdersAreListedInPages(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 1000)
	want := map[string]bool{}
	for i := range 5 {
		location := r.place(fmt.Sprint("ada", i), basket("ada"))
		want[strings.TrimPrefix(location, "/orders/")] = true
		r.place(fmt.Sprint("bob", i), basket("bob"))
	}
	after, pages := "", 0
	for {
		var page struct {
			Items []order.View
			Next  string
		}
		r.call("GET", "/orders?customer=ada&limit=2&after="+after, "", nil, &page)
		pages++
		for _, o := range page.Items {
			if !want[o.OrderID] {
				t.Errorf("order %s of %s is listed again, or is no one of ada's", o.OrderID, o.CustomerID)
			}
			delete(want, o.OrderID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(want) != 0 || pages != 3 {
		t.Errorf("%d pages, not listed: %v", pages, want)
	}
}

// Each customer of the sandbox brings its order to the end that its payment asks for, and the
// gateway's books to the money that is due.
func TestPaymentsEndOrders(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{Payment: payment.Config{
		Timeout: 500 * time.Millisecond, Retry: leat.Retry{Attempts: 12, Base: time.Millisecond, Max: 5 * time.Millisecond},
	}})
	r.stock("tea", 1000)
	soldOut := []contract.Item{{SKU: "none", Quantity: 1, UnitPrice: 7}}
	for name, c := range map[string]struct {
		req    order.Request
		state  order.State
		reason string
		charge payment.State
	}{
		"charged":               {basket("ada"), order.Completed, "", payment.Charged},
		"declined":              {basket("declined-ada"), order.Cancelled, order.ReasonPayment, payment.Failed},
		"fails at first":        {basket("flaky-ada"), order.Completed, "", payment.Charged},
		"hangs at first":        {basket("hanging-ada"), order.Completed, "", payment.Charged},
		"attempts used up":      {basket("dead-ada"), order.Cancelled, order.ReasonPayment, payment.Voided},
		"refunded":              {basket("ada", soldOut...), order.Cancelled, order.ReasonStock, payment.Refunded},
		"refund fails first":    {basket("flaky-ada", soldOut...), order.Cancelled, order.ReasonStock, payment.Refunded},
		"refund hangs at first": {basket("hanging-ada", soldOut...), order.Cancelled, order.ReasonStock, payment.Refunded},
	} {
		o := r.ended(r.place(name, c.req))
		if o.State != c.state || o.Reason != c.reason {
			t.Errorf("%s: %s %q, want %s %q", name, o.State, o.Reason, c.state, c.reason)
		}
		leattest.Eventually(t, name+" is settled with the gateway", func() error {
			var page struct{ Items []payment.View }
			r.call("GET", "/charges?limit=1000", "", nil, &page)
			for _, v := range page.Items {
				if v.OrderID != o.OrderID {
					continue
				}
				held := v.Captured - v.Returned
				if v.State != c.charge || (held == 1) != (c.state == order.Completed) || v.Captured > 1 {
					return fmt.Errorf("%+v", v)
				}
				return nil
			}
			return errors.New("there is no charge")
		})
	}
}

// timeline reads at most n entries of an order's stream, those behind last, and returns their ids.
func (r *running) timeline(order, last string, n int) (ids []string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+"/orders/"+order+"/timeline", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		r.t.Fatalf("content type %q", ct)
	}
	for lines := bufio.NewScanner(resp.Body); len(ids) < n && lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestTimelineStreamGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 10)
	o := r.ended(r.place("k1", basket("ada")))
	read := func(last string, n int) (ids []string) {
		leattest.Eventually(t, fmt.Sprintf("%d entries come", n), func() error { // a stream may break, and its client comes back
			got := r.timeline(o.OrderID, last, n-len(ids))
			ids = append(ids, got...)
			if len(got) > 0 {
				last = got[len(got)-1]
			}
			if len(ids) < n {
				return fmt.Errorf("so far %v", ids)
			}
			return nil
		})
		return ids
	}
	all := read("", 7)
	rest := read(all[4], 2)
	if rest[0] != all[5] || rest[1] != all[6] {
		t.Errorf("after %s came %v, want %v", all[4], rest, all[5:])
	}
}

func TestCancelIsDecidedByShipping(t *testing.T) {
	t.Parallel()
	r := run(t, shop.Config{})
	r.stock("tea", 1000)
	done := r.place("k-done", basket("ada"))
	r.ended(done)
	r.problem("POST", done+"/cancel", "", "", 409)
	ends := map[order.State]int{}
	cancel := func(i int) {
		location := r.place(fmt.Sprint("k", i), basket("ada"))
		resp := r.call("POST", location+"/cancel", "", nil, nil)
		if resp.StatusCode != 202 && resp.StatusCode != 409 {
			t.Errorf("cancel: %s", resp.Status)
		}
		o := r.ended(location)
		ends[o.State]++
		if o.State == order.Cancelled && o.Reason != order.ReasonCustomer {
			t.Errorf("cancelled because of %q", o.Reason)
		}
		if again := r.call("POST", location+"/cancel", "", nil, nil); (again.StatusCode == 202) != (o.State == order.Cancelled) {
			t.Errorf("cancel again: %s, the order is %s", again.Status, o.State)
		}
	}
	for i := range 10 {
		cancel(i)
	}
	leattest.Within(t, 5*time.Minute, "a cancel right after the order wins", func() error {
		if ends[order.Cancelled] == 0 {
			cancel(10 + ends[order.Completed])
			return fmt.Errorf("ends: %v", ends)
		}
		return nil
	})
}
