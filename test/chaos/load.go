package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/test/chaos/audit"
)

// markHeader marks records that the load puts on the topics itself.
const markHeader = "chaos-mark"

// load is the customers.
type load struct {
	seed    uint64
	rate    float64
	urls    map[string][]string // by service
	log     *audit.Log
	raw     *kgo.Client
	witness *witness
	open    func() int // orders under way

	turn   atomic.Uint32
	placed atomic.Int64 // orders
	spoilt atomic.Int64 // records put on topics
}

const (
	mostOpen = 300 // orders under way before customers wait
	articles = 10
	pieces   = 1_000_000_000
	scarce   = "last-pieces"
)

// fill counts what the shop has in stock.
func (l *load) fill(ctx context.Context) error {
	stock := map[string]int64{scarce: 5}
	for i := range articles {
		stock[fmt.Sprintf("article-%d", i)] = pieces
	}
	for sku, n := range stock {
		if _, err := l.send(ctx, "inventory", http.MethodPut, "/stock/"+sku, "", inventory.Count{Quantity: &n}, http.StatusOK); err != nil {
			return fmt.Errorf("fill the stock: %w", err)
		}
	}
	return nil
}

// run places orders until ctx ends, and lets those that are on their way be answered until patience
// ends.
func (l *load) run(ctx, patience context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	pace := time.NewTicker(time.Duration(float64(time.Second) / l.rate))
	defer pace.Stop()
	var mu sync.Mutex
	var failed error
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			all.Wait()
			mu.Lock()
			defer mu.Unlock()
			return failed
		case <-pace.C:
		}
		for l.open() > mostOpen && pause(ctx, 100*time.Millisecond) {
		}
		if ctx.Err() != nil {
			continue
		}
		all.Go(func() {
			if err := l.order(patience, n); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
}

// order places order n and makes its trouble. Only what the history can't tell is an error.
func (l *load) order(ctx context.Context, n int) error {
	r := rand.New(rand.NewPCG(l.seed, uint64(n)+2))
	key := fmt.Sprintf("chaos-%d-%d", l.seed, n)
	line := audit.Line{Op: audit.Order, Key: key}
	deed, err := l.log.Begin(line)
	if err != nil {
		return err
	}
	trouble := r.IntN(20)
	answer, err := l.send(ctx, "order", http.MethodPost, "/orders", key, request(r, trouble), http.StatusAccepted)
	if err != nil {
		line.Reason = err.Error()
		return l.log.End(deed, audit.Info, line)
	}
	line.Order = strings.TrimPrefix(answer.Get("Location"), "/orders/")
	if err := l.log.End(deed, audit.OK, line); err != nil {
		return err
	}
	l.placed.Add(1)
	switch trouble {
	case 6, 7:
		pause(ctx, time.Duration(r.Int64N(int64(300*time.Millisecond))))
		_, _ = l.send(ctx, "order", http.MethodPost, "/orders/"+line.Order+"/cancel", "", nil, http.StatusAccepted, http.StatusConflict)
	case 8, 9, 10:
		l.spoil(ctx, r, n, trouble)
	}
	return nil
}

// request is an order, with the customer or the article that makes its trouble.
func request(r *rand.Rand, trouble int) order.Request {
	req := order.Request{CustomerID: fmt.Sprintf("customer-%d", r.IntN(50)), Currency: []string{"EUR", "USD"}[r.IntN(2)]}
	for range 1 + r.IntN(3) {
		req.Items = append(req.Items, contract.Item{SKU: fmt.Sprintf("article-%d", r.IntN(articles)), Quantity: 1 + r.Int64N(4), UnitPrice: 100 + r.Int64N(9_900)})
	}
	prefix := map[int]string{1: payment.CustomerDeclined, 2: payment.CustomerFlaky, 3: payment.CustomerHanging, 4: payment.CustomerDead, 11: notification.CustomerFull}
	req.CustomerID = prefix[trouble] + req.CustomerID
	if trouble == 5 {
		req.Items = append(req.Items, contract.Item{SKU: scarce, Quantity: 1, UnitPrice: 500})
	}
	return req
}

// spoil puts something on a topic that is no event, or one of nobody's type, or one that is there.
func (l *load) spoil(ctx context.Context, r *rand.Rand, n, trouble int) {
	topics := contract.Topics()
	topic := topics[r.IntN(len(topics))]
	rec := &kgo.Record{Topic: topic.Name, Key: []byte(fmt.Sprintf("spoilt-%d", n))}
	header := func(key, value string) {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	event := func(kind string) {
		for key, value := range map[string]string{"ce_specversion": "1.0", "ce_id": leat.NewID(), "ce_source": "chaos", "ce_type": kind, "content-type": "application/json"} {
			header(key, value)
		}
	}
	mark := audit.Bad
	switch trouble {
	case 8:
		kinds, err := topic.Kinds()
		if err != nil || r.IntN(2) == 0 {
			rec.Value = []byte("no event at all")
			break
		}
		event(kinds[r.IntN(len(kinds))].Type)
		rec.Value = []byte(`{"order_id": 17`)
	case 9:
		mark = audit.Unknown
		event("shop.order.gift_wrapped.v1")
		rec.Value = []byte(`{"order_id":"x"}`)
	default:
		old := l.witness.any(r)
		if old == nil {
			return
		}
		mark = audit.Repeat
		rec = &kgo.Record{Topic: old.Topic, Key: old.Key, Value: old.Value, Headers: append([]kgo.RecordHeader(nil), old.Headers...)}
	}
	header(markHeader, mark)
	if l.raw.ProduceSync(ctx, rec).FirstErr() == nil {
		l.spoilt.Add(1)
	}
}

// send sends a request to one process of the service after the other until one gives an answer that is
// wanted.
func (l *load) send(ctx context.Context, service, method, path, key string, body any, want ...int) (http.Header, error) {
	payload := []byte{}
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode a request: %w", err)
		}
	}
	urls := l.urls[service]
	for {
		header, status, text, err := l.once(ctx, method, urls[int(l.turn.Add(1))%len(urls)]+path, key, payload)
		for _, w := range want {
			if err == nil && status == w {
				return header, nil
			}
		}
		if err == nil && status < 500 {
			return nil, fmt.Errorf("%s %s: %d %s", method, path, status, text)
		}
		if !pause(ctx, 20*time.Millisecond+rand.N(200*time.Millisecond)) {
			return nil, fmt.Errorf("%s %s: no answer: %w", method, path, context.Cause(ctx))
		}
	}
}

var client = http.Client{Timeout: 5 * time.Second}

func (l *load) once(ctx context.Context, method, url, key string, payload []byte) (http.Header, int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(payload))
	if err != nil {
		return nil, 0, "", err
	}
	if len(payload) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.Header, resp.StatusCode, string(text), err
}
