package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// flaky is a store that can be away.
type flaky struct {
	blob.Store
	away atomic.Bool
}

func (f *flaky) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if f.away.Load() {
		return nil, leat.Unavailable(errors.New("the store is away"))
	}
	return f.Store.Get(ctx, name, limit)
}

// shelf is a store in a directory.
func (r *rig) shelf() *flaky {
	dir, err := os.MkdirTemp("", "leat-shelf-")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := blob.Open(r.t.Context(), blob.Config{URL: "file:" + dir})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(s.Close)
	return &flaky{Store: s}
}

// claim moves a record's data into the store.
func (r *rig) claim(s blob.Store, rec *kgo.Record) blob.Ref {
	ref, err := blob.Put(r.t.Context(), s, "test", rec.Value, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	rec.Value = []byte{}
	for _, h := range ref.Headers() {
		rec.Headers = append(rec.Headers, kgo.RecordHeader(h))
	}
	return ref
}

// A handler gets its event whole; one whose payload is gone, or is another, or whose reference can't
// be read is dead-lettered as it came, and no other waits for it.
func TestPayloadsAreFetchedBeforeTheHandler(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(r *rig, l *ledger) leat.Handler{
		"one by one": func(r *rig, l *ledger) leat.Handler { return consumer.On(r.topic, l.note, quick) },
		"in batches": func(r *rig, l *ledger) leat.Handler {
			return consumer.Batch(r.topic, func(ctx context.Context, events []*leat.Event[Placed]) error {
				var faults []error
				for i, e := range events {
					if err := l.note(ctx, e); err != nil {
						faults = append(faults, leat.FaultAt(i, err))
					}
				}
				return errors.Join(faults...)
			}, quick)
		},
		"transformed": func(r *rig, l *ledger) leat.Handler {
			return consumer.Transform(r.topic, func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
				return nil, l.note(ctx, e)
			}, quick)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 2, func(t *testing.T, r *rig) {
				store := r.shelf()
				records := r.records(placed(8, 1)...)
				for i, rec := range records[:6] {
					ref := r.claim(store, rec)
					switch i {
					case 1:
						if err := store.Delete(t.Context(), ref.Name); err != nil {
							t.Fatal(err)
						}
					case 2:
						if err := store.Put(t.Context(), ref.Name, []byte(strings.Repeat("x", int(ref.Size)))); err != nil {
							t.Fatal(err)
						}
					case 3:
						for j, h := range rec.Headers {
							if h.Key == blob.HeaderName {
								rec.Headers[j].Value = []byte("../../etc/passwd")
							}
						}
					}
				}
				r.b.Produce(t, records...)
				done := newLedger()
				cfg := r.config(handler(r, done))
				cfg.Payloads, cfg.Transforms.Owns = store, []leat.Topic{r.bills()}
				r.start(cfg)
				r.awaitCommitted(8)
				if n := done.len(); n != 5 {
					t.Errorf("%d events handled, want 5", n)
				}
				letters := r.deadLetters()
				if len(letters) != 3 {
					t.Fatalf("%d dead letters, want 3", len(letters))
				}
				for _, l := range letters {
					if l.Reason != consumer.ReasonPermanent || !strings.Contains(l.Error, "payload") && !strings.Contains(l.Error, "reference") {
						t.Errorf("dead letter: %s %s", l.Reason, l.Error)
					}
					sum := 0
					for _, h := range l.rec.Headers {
						if h.Key == blob.HeaderSum {
							sum++
						}
					}
					if sum != 1 || l.rec.Value == nil {
						t.Errorf("the dead letter lost its reference: %v", l.rec.Headers)
					}
				}
			})
		})
	}
}

// A store that is away, or that this process does not know, holds the partition: nothing is counted,
// nothing is lost, and Ready says what to do.
func TestAStoreThatIsAwayHoldsThePartition(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"away": true, "not configured": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 1, func(t *testing.T, r *rig) {
				store := r.shelf()
				store.away.Store(true)
				records := r.records(placed(1, 3)...)
				for _, rec := range records {
					r.claim(store, rec)
				}
				r.b.Produce(t, records...)
				done := newLedger()
				cfg := r.config(consumer.On(r.topic, done.note, quick))
				want := "payload.url"
				if known {
					cfg.Payloads, want = store, "the store is away"
				}
				m := r.start(cfg)
				leattest.Eventually(t, "Ready tells", func() error {
					if err := m.Ready(); err == nil || !strings.Contains(err.Error(), want) {
						return fmt.Errorf("ready: %v", err)
					}
					return nil
				})
				time.Sleep(time.Hour)
				if n := len(r.deadLetters()); n > 0 || done.len() > 0 {
					t.Fatalf("%d dead letters and %d handled", n, done.len())
				}
				store.away.Store(false)
				if !known {
					if err := m.stop(); err != nil {
						t.Fatal(err)
					}
					cfg.Payloads = store
					r.start(cfg)
				}
				r.awaitCommitted(3)
				if done.len() != 3 {
					t.Errorf("%d handled, want 3", done.len())
				}
			})
		})
	}
}
