package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// BenchmarkOnceTogether handles batches of 500 events by OnceBatch and by Together, and single ones by
// Once, in turns with what they are measured against: the same rows by bare multi-row inserts in one
// transaction. Ratios above 1 mean that leat is faster.
func BenchmarkOnceTogether(b *testing.B) {
	for _, effect := range []bool{false, true} {
		b.Run(map[bool]string{false: "inbox rows alone", true: "with an effect each"}[effect], func(b *testing.B) {
			w := newInboxWorld(b, sql.Postgres(b))
			w.data.Exec(b, `create table bare (like leat_inbox_key including all)`)
			m := &speeds{w: w, effect: effect, took: map[string][]float64{}}
			m.batch = w.bind(outbox.OnceBatch(w.topic, func(ctx context.Context, tx *outbox.Tx, events []*leat.Event[moved]) error {
				if !effect {
					return nil
				}
				keys, ns := make([]string, len(events)), make([]int64, len(events))
				for i, e := range events {
					keys[i], ns[i] = e.Data.Key, int64(e.Data.N)
				}
				_, err := tx.Exec(ctx, insertEffects, keys, ns)
				return err
			}, consumer.BatchOf(500, 0)))
			one := func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
				if !effect {
					return nil
				}
				_, err := tx.Exec(ctx, `insert into effect (key, n) values ($1, $2)`, e.Data.Key, e.Data.N)
				return err
			}
			m.together, m.once = w.bind(outbox.Once(w.topic, one, outbox.Together(500))), w.bind(outbox.Once(w.topic, one))
			m.round(b) // warms connections, statements and caches
			clear(m.took)
			for b.Loop() {
				m.round(b)
			}
			for _, what := range []string{"bare", "batch", "together", "once"} {
				b.ReportMetric(m.rate(what), what+"/s")
			}
			b.ReportMetric(m.rate("batch")/m.rate("bare"), "batch:bare")
			b.ReportMetric(m.rate("batch")/m.rate("once"), "batch:once")
			b.ReportMetric(m.rate("together")/m.rate("once"), "together:once")
		})
	}
}

const insertEffects = `insert into effect (key, n) select * from unnest($1::text[], $2::bigint[])`

// speeds is what each way has done, and in which time.
type speeds struct {
	w                     *inboxWorld
	effect                bool
	batch, together, once leat.Handler
	next                  int
	took                  map[string][]float64 // seconds for one event, of each round
}

// rate is events per second, by the median of the rounds.
func (m *speeds) rate(what string) float64 {
	all := slices.Sorted(slices.Values(m.took[what]))
	return 1 / all[len(all)/2]
}

// round runs each way once, in the other order each time.
func (m *speeds) round(b *testing.B) {
	ways := []struct {
		name string
		n    int
		run  func([]*leat.Envelope) error
	}{
		{"bare", 500, func(events []*leat.Envelope) error { return m.bare(b.Context(), events) }},
		{"batch", 500, func(events []*leat.Envelope) error { return m.batch.Batch(b.Context(), events) }},
		{"together", 500, func(events []*leat.Envelope) error { return m.together.Batch(b.Context(), events) }},
		{"once", 25, func(events []*leat.Envelope) error {
			for _, e := range events {
				if err := m.once.Handle(b.Context(), e); err != nil {
					return err
				}
			}
			return nil
		}},
	}
	for i := range ways {
		way := ways[i]
		if m.next%2 == 1 {
			way = ways[len(ways)-1-i]
		}
		events := m.fresh(way.n)
		began := time.Now()
		if err := way.run(events); err != nil {
			b.Fatal(way.name, err)
		}
		m.took[way.name] = append(m.took[way.name], time.Since(began).Seconds()/float64(way.n))
	}
	m.next++
}

// fresh are n events that nobody has seen, in the order of their ids: the index likes it, and whoever
// inserts them bare may have it too.
func (m *speeds) fresh(n int) []*leat.Envelope {
	all, ids := make([]*leat.Envelope, n), make([]string, n)
	for i := range ids {
		ids[i] = leat.NewID()
	}
	slices.Sort(ids)
	for i := range all {
		all[i] = leat.NewEnvelope(wire(m.w.t, "things", int64(i), ids[i], fmt.Sprint("k", i), fmt.Sprintf(`{"key":"k%d","n":%d}`, i, i)), &m.batch.Kind, nil, 1)
	}
	return all
}

// bare decodes the events and inserts the same number of rows as the batch, with nothing around.
func (m *speeds) bare(ctx context.Context, events []*leat.Envelope) error {
	names, keys, ns := make([]string, len(events)), make([]string, len(events)), make([]int64, len(events))
	for i, e := range events {
		ev, err := leat.DecodeEvent[moved](e)
		if err != nil {
			return err
		}
		names[i], keys[i], ns[i] = e.ID(), ev.Data.Key, int64(ev.Data.N)
	}
	return m.w.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `insert into bare (key, at) select unnest($1::uuid[]), $2`, names, time.Now().UnixMicro())
		if err == nil && m.effect {
			_, err = tx.Exec(ctx, insertEffects, keys, ns)
		}
		return err
	})
}
