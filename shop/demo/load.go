package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/order"
)

const (
	workers   = 16  // orders in the generator's hands at once
	chunk     = 32  // orders that are written down at once
	mostOpen  = 256 // orders under way in the shop before the generator waits
	openCheck = 25 * time.Millisecond
)

// generator places orders and makes their trouble.
type generator struct {
	cfg      Config
	seed     uint64
	prefix   string
	shop     *client
	journal  *journal
	cluster  *kafka.Client
	producer *kafka.Producer
	open     func() int // orders under way
}

// deal is one order in hand.
type deal struct {
	n       int
	trouble trouble
}

// run does again what was begun and is not known to be done, then goes on to cfg.Orders.
func (g *generator) run(ctx context.Context) error {
	if err := g.fill(ctx); err != nil {
		return err
	}
	deals := make(chan deal)
	hands, ctx := errgroup.WithContext(ctx)
	hands.Go(func() error {
		defer close(deals)
		return g.deal(ctx, deals)
	})
	for range workers {
		hands.Go(func() error {
			for d := range deals {
				if err := g.do(ctx, d); err != nil {
					return fmt.Errorf("order %d (%s): %w", d.n, d.trouble, err)
				}
			}
			return nil
		})
	}
	return hands.Wait()
}

// fill counts the articles that the shop has never had.
func (g *generator) fill(ctx context.Context) error {
	for sku, quantity := range stock() {
		a, err := g.shop.do(ctx, "inventory", http.MethodGet, "/stock/"+sku, "", nil)
		if err != nil {
			return fmt.Errorf("fill the stock: %w", err)
		}
		if a.status == http.StatusOK {
			continue
		}
		a, err = g.shop.do(ctx, "inventory", http.MethodPut, "/stock/"+sku, "", inventory.Count{Quantity: &quantity})
		if err != nil {
			return fmt.Errorf("fill the stock: %w", err)
		}
		if a.status != http.StatusOK {
			return a.err("fill the stock")
		}
	}
	return nil
}

// deal hands out the orders, at the wanted rate, and never so many that the shop only queues.
func (g *generator) deal(ctx context.Context, deals chan<- deal) error {
	begun := g.journal.all()
	for n, d := range begun {
		if d.order == "" && !give(ctx, deals, deal{n, d.trouble}) {
			return context.Cause(ctx)
		}
	}
	start, placed := time.Now(), 0
	for n := len(begun); n < g.cfg.Orders; {
		size := min(chunk, g.cfg.Orders-n)
		if g.cfg.Rate > 0 {
			size = min(size, max(1, int(g.cfg.Rate/10)))
			due := start.Add(time.Duration(float64(placed) / g.cfg.Rate * float64(time.Second)))
			if !pause(ctx, time.Until(due)) {
				return context.Cause(ctx)
			}
		}
		for g.open() > mostOpen {
			if !pause(ctx, openCheck) {
				return context.Cause(ctx)
			}
		}
		next := make([]trouble, size)
		for i := range next {
			next[i] = draw(g.seed, n+i, g.cfg.Trouble)
		}
		first, err := g.journal.will(next)
		if err != nil {
			return err
		}
		for i, t := range next {
			if !give(ctx, deals, deal{first + i, t}) {
				return context.Cause(ctx)
			}
		}
		n, placed = n+size, placed+size
	}
	return nil
}

func give(ctx context.Context, deals chan<- deal, d deal) bool {
	select {
	case deals <- d:
		return true
	case <-ctx.Done():
		return false
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// do places an order and makes its trouble. All of it may be done twice.
func (g *generator) do(ctx context.Context, d deal) error {
	if d.trouble == badRequest {
		if err := g.misplace(ctx, d.n); err != nil {
			return err
		}
	}
	id, err := g.place(ctx, d)
	if err != nil {
		return err
	}
	if err := g.disturb(ctx, d, id); err != nil {
		return err
	}
	return g.journal.did(d.n, id)
}

func (g *generator) place(ctx context.Context, d deal) (id string, err error) {
	req := request(g.seed, d.n, d.trouble)
	times := 1
	if d.trouble == repeatRequest {
		times = 3
	}
	for range times {
		a, err := g.shop.do(ctx, "order", http.MethodPost, "/orders", g.journal.key(d.n), req)
		if err != nil {
			return "", err
		}
		if a.status != http.StatusAccepted {
			return "", a.err("place an order")
		}
		got := strings.TrimPrefix(a.header.Get("Location"), "/orders/")
		if got == "" || id != "" && got != id {
			return "", fmt.Errorf("one idempotency key made orders %q and %q", id, got)
		}
		id = got
	}
	return id, nil
}

// misplace sends requests that have to be refused.
func (g *generator) misplace(ctx context.Context, n int) error {
	good := request(g.seed, n, noTrouble)
	bad := good
	bad.Items = nil
	wrong, err := json.Marshal(bad)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	for _, c := range []struct {
		key     string
		payload string
		status  int
	}{
		{g.journal.key(n) + "-bad", `{"customer_id": `, http.StatusBadRequest},
		{g.journal.key(n) + "-bad", string(wrong), http.StatusUnprocessableEntity},
		{"", string(wrong), http.StatusBadRequest},
	} {
		a, err := g.shop.send(ctx, "order", http.MethodPost, "/orders", c.key, []byte(c.payload))
		if err != nil {
			return err
		}
		if a.status != c.status || a.header.Get("Content-Type") != "application/problem+json" {
			return a.err(fmt.Sprintf("a bad request (%s) was to be refused with %d", c.payload, c.status))
		}
	}
	return nil
}

// disturb makes the trouble that stands beside the order.
func (g *generator) disturb(ctx context.Context, d deal, id string) error {
	switch d.trouble {
	case cancel:
		if !pause(ctx, moment(g.seed, d.n)) {
			return context.Cause(ctx)
		}
		a, err := g.shop.do(ctx, "order", http.MethodPost, "/orders/"+id+"/cancel", "", nil)
		if err == nil && a.status != http.StatusAccepted && a.status != http.StatusConflict {
			err = a.err("cancel an order")
		}
		return err
	case badBytes, badJSON, badHeaders, badEnvelope:
		return g.put(ctx, badRecord(g.seed, d.n, d.trouble, g.prefix))
	case unknownType:
		raw, err := unknownRecord(g.seed, d.n, g.prefix)
		if err != nil {
			return err
		}
		return g.put(ctx, raw)
	case repeatEvent:
		return g.repeat(ctx, d.n, id)
	}
	return nil
}

// put puts a record on its topic, as often as it takes.
func (g *generator) put(ctx context.Context, raw kafka.Raw) error {
	for attempt := 1; ; attempt++ {
		err := g.producer.SendRaw(ctx, raw)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || attempt == 20 {
			return fmt.Errorf("put a record on %s: %w", raw.Topic, err)
		}
		pause(ctx, again.Delay(attempt, 1))
	}
}

// timeline is what GET /orders/{id} tells.
type timeline struct {
	order.View
	Timeline []ledger.Entry `json:"timeline"`
}

var errFound = errors.New("found")

// repeat sends one of the order's events again, as it lies on its topic.
func (g *generator) repeat(ctx context.Context, n int, id string) error {
	r := source(g.seed, n, forMoment)
	wanted := 1 + r.IntN(3)
	var t timeline
	for {
		var err error
		if t, err = get[timeline](ctx, g.shop, "order", "/orders/"+id); err != nil {
			return err
		}
		if len(t.Timeline) >= wanted || t.State.Ended() && len(t.Timeline) > 0 {
			break
		}
		if !pause(ctx, 10*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	at := t.Timeline[r.IntN(len(t.Timeline))]
	var raw kafka.Raw
	err := g.cluster.ReadPartition(ctx, at.Topic, at.Partition, at.Offset, func(w leat.Wire) error {
		raw = repeated(w)
		return errFound
	})
	if !errors.Is(err, errFound) {
		return fmt.Errorf("read %s of order %s to send it again: %w", at.Type, id, errors.Join(err, ctx.Err()))
	}
	return g.put(ctx, raw)
}

// topics are the shop's topics by their names in the cluster.
func topics(prefix string) []string {
	var names []string
	for _, t := range contract.Topics() {
		names = append(names, prefix+t.Name)
	}
	return names
}
