package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// Billed is what the tests' transforms make of an order.
type Billed struct {
	Key string
	N   int
}

func (Billed) EventType() string  { return "test.order.billed.v1" }
func (e Billed) EventKey() string { return e.Key }

// bills is the topic that the tests' transforms write to.
func (r *rig) bills() leat.Topic {
	r.t.Helper()
	if r.out.Name == "" {
		r.out = leat.Topic{Name: r.b.Name("bills"), Carries: []any{Billed{}}}
		r.b.CreateTopic(r.t, r.out.Name, 3, nil)
	}
	return r.out
}

// transforming is a member that runs fn.
func (r *rig) transforming(fn func(context.Context, *leat.Event[Placed]) ([]Billed, error), options ...leat.HandlerOption) consumer.Config {
	r.t.Helper()
	cfg := r.config(consumer.Transform(r.topic, fn, options...))
	cfg.Transforms = consumer.TransformConfig{Owns: []leat.Topic{r.bills()}, CommitInterval: 20 * time.Millisecond, MaxEvents: 50}
	return cfg
}

func bill(_ context.Context, e *leat.Event[Placed]) ([]Billed, error) {
	return []Billed{{Key: e.Data.Key, N: e.Data.N}}, nil
}

// billed is what a read_committed reader sees of each key, in order.
func (r *rig) billed() map[string][]int {
	r.t.Helper()
	got := map[string][]int{}
	for _, rec := range r.b.ReadAll(r.t, r.bills().Name, kgo.ReadCommitted()) {
		var b Billed
		if err := leat.JSON.Decode(rec.Value, &leat.Kind{}, &b); err != nil {
			r.t.Fatal(err)
		}
		got[b.Key] = append(got[b.Key], b.N)
	}
	return got
}

// billedOnce checks that each key has the outputs 0..n-1, each once, in order, but those in without.
func (r *rig) billedOnce(keys, n int, without ...int) {
	r.t.Helper()
	gone := map[int]bool{}
	for _, i := range without {
		gone[i] = true
	}
	got := r.billed()
	for k := range keys {
		key := fmt.Sprintf("k%d", k)
		next := 0
		for _, i := range got[key] {
			for gone[next] {
				next++
			}
			if i != next {
				r.t.Errorf("key %s: output %d where %d is due: %v", key, i, next, got[key])
				break
			}
			next++
		}
		for gone[next] {
			next++
		}
		if next != n {
			r.t.Errorf("key %s: %d outputs, want %d", key, next, n)
		}
	}
}

func TestATransformWritesEachOutputOnceAndInOrder(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		r.send(placed(20, 30)...)
		m := r.start(r.transforming(bill))
		r.awaitCommitted(600)
		r.awaitNothingOpen()
		r.billedOnce(20, 30)
		leattest.Eventually(t, "ready", m.Ready)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnOutputTellsWhatCausedIt(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		sent := r.records(Placed{Key: "a", N: 1})
		r.b.Produce(t, sent...)
		r.start(r.transforming(bill))
		r.awaitCommitted(1)
		out := r.b.ReadAll(t, r.bills().Name, kgo.ReadCommitted())
		if len(out) != 1 {
			t.Fatalf("%d outputs", len(out))
		}
		h := map[string]string{}
		for _, x := range out[0].Headers {
			h[x.Key] = string(x.Value)
		}
		in := map[string]string{}
		for _, x := range sent[0].Headers {
			in[x.Key] = string(x.Value)
		}
		if h["ce_causationid"] != in["ce_id"] || h["ce_source"] != r.group || h["ce_type"] != "test.order.billed.v1" || string(out[0].Key) != "a" {
			t.Errorf("headers %v of an output of %v", h, in)
		}
	})
}

// An event waits an hour for its next attempt. Its key's later events wait behind it, all others leave
// and are committed; a new member repeats none of them.
func TestAnEventThatWaitsHoldsUpItsKeyOnly(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(10, 20)...)
		away := true
		fn := func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
			if away && e.Data.Key == "k3" && e.Data.N == 5 {
				return nil, leat.RetryAfter(errors.New("not yet"), time.Hour)
			}
			return bill(ctx, e)
		}
		first := r.start(r.transforming(fn, consumer.WithRetry(leat.Retry{Attempts: -1})))
		leattest.Eventually(t, "all but one key's rest are out", func() error {
			n := 0
			for _, list := range r.billed() {
				n += len(list)
			}
			if n != 185 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if at := r.committedSum(); at != 53 {
			t.Errorf("committed %d, want the place of the event that waits", at)
		}
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		away = false
		r.start(r.transforming(fn))
		r.awaitCommitted(200)
		r.billedOnce(10, 20)
	})
}

func TestADeadLetterLeavesInTheTransaction(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(10, 10)...)
		fn := func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
			switch {
			case e.Data.N == 3:
				return nil, leat.Permanent(errors.New("never"))
			case e.Data.N == 6:
				return nil, errors.New("again and again")
			}
			return bill(ctx, e)
		}
		m := r.start(r.transforming(fn, consumer.WithRetry(leat.Retry{Attempts: 2, Base: time.Millisecond})))
		r.awaitCommitted(100)
		r.awaitNothingOpen()
		r.billedOnce(10, 10, 3, 6)
		letters := r.deadLetters()
		if len(letters) != 20 {
			t.Errorf("%d dead letters, want 20", len(letters))
		}
		for _, l := range letters {
			if l.Reason != consumer.ReasonPermanent && l.Reason != consumer.ReasonExhausted || l.rec.Partition != l.Source.Partition {
				t.Errorf("letter %+v on partition %d", l.DeadLetter, l.rec.Partition)
			}
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEventWithoutOutputsIsPassed(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(10, 10)...)
		fn := func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
			if e.Data.N%2 == 1 {
				return nil, leat.Skip("odd")
			}
			if e.Data.N%4 == 2 {
				return nil, nil
			}
			return bill(ctx, e)
		}
		r.start(r.transforming(fn))
		r.awaitCommitted(100)
		r.billedOnce(10, 9, 1, 2, 3, 5, 6, 7)
	})
}

func TestTransformsAreRefusedWhereTheyCannotWork(t *testing.T) {
	t.Parallel()
	orders := leat.Topic{Name: "orders", Carries: []any{Placed{}, Paid{}}}
	bills := leat.Topic{Name: "bills", Carries: []any{Billed{}}}
	ok := consumer.Config{Group: "g", Handlers: []leat.Handler{consumer.Transform(orders, bill)}, Transforms: consumer.TransformConfig{Owns: []leat.Topic{bills}}}
	for _, c := range []struct {
		name, want string
		change     func(*consumer.Config)
	}{
		{"other handlers on the topic", "transforms and other handlers", func(c *consumer.Config) {
			c.Handlers = append(c.Handlers, consumer.On(orders, func(context.Context, *leat.Event[Paid]) error { return nil }))
		}},
		{"nowhere to write to", "Owns is empty", func(c *consumer.Config) { c.Transforms.Owns = nil }},
		{"outputs that no topic carries", "carries consumer_test.Billed", func(c *consumer.Config) {
			c.Transforms.Owns = []leat.Topic{{Name: "bills", Carries: []any{Paid{}}}}
		}},
		{"an act at the end", "does not take OnExhausted", func(c *consumer.Config) {
			c.Handlers = []leat.Handler{consumer.Transform(orders, bill, consumer.OnExhausted(func(context.Context, *leat.Event[Placed], error) error { return nil }))}
		}},
		{"no function", "has no function", func(c *consumer.Config) { c.Handlers = []leat.Handler{consumer.Transform[Placed, Billed](orders, nil)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := ok
			c.change(&cfg)
			if _, err := consumer.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := consumer.New(ok); err != nil {
		t.Error(err)
	}
}
