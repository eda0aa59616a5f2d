package shop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/order"
)

// running is the shop on an embedded broker and SQLite, behind its real HTTP API.
type running struct {
	t   *testing.T
	url string
}

func run(t *testing.T, cfg shop.Config) *running {
	t.Helper()
	dir := t.TempDir()
	stack, err := devstack.Open(t.Context(), devstack.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() })
	level := slog.LevelError
	if os.Getenv("LEAT_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
	host, err := service.NewHost(service.HostConfig{
		Kafka: stack.Config(), DatabaseURL: "sqlite:" + dir, Services: shop.Services(cfg), Logger: log,
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
	return &running{t: t, url: server.URL}
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
