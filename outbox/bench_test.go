package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// measured are the pairs that a benchmark runs on.
var measured = []struct {
	name  string
	world func(b *testing.B) *world
}{
	{"sqlite on the embedded broker", func(b *testing.B) *world { return newWorld(b, sql.SQLite(b), embedded(b, false)) }},
	{"sqlite on kafka", func(b *testing.B) *world { return newWorld(b, sql.SQLite(b), broker.Real(b)) }},
	{"postgres on kafka", func(b *testing.B) *world { return newWorld(b, sql.Postgres(b), broker.Real(b)) }},
	{"postgres that retains on kafka", func(b *testing.B) *world { return newWorld(b, sql.Postgres(b), broker.Real(b), retains) }},
}

// fill puts n events of about 300 bytes into the outbox: one by Publish, the others as its copies.
func (w *world) fill(n int) {
	w.t.Helper()
	w.publish(moved{Key: "k", Pad: random(250)})
	series := `generate_series(2, $1::int) g(n)`
	if !w.data.IsPostgres() {
		series = `(with recursive g(n) as (select 2 union all select n + 1 from g where n < $1) select n from g) g`
	}
	w.data.Exec(w.t, `insert into `+w.table+` (at, topic, key, event_id, event_type, attributes, data)
		select at, topic, cast('k' || (g.n % 500) as `+map[bool]string{true: "bytea", false: "blob"}[w.data.IsPostgres()]+`), event_id || g.n, event_type, attributes, data
		from (select * from `+w.table+` order by id desc limit 1) one, `+series, n)
}

// cpu is the time that this process has had of the processors.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// gone waits until the outbox is empty without asking much of the database.
func (w *world) gone() {
	w.t.Helper()
	some := `select 1 from leat_outbox limit 1`
	if w.table != "leat_outbox" {
		some = `select 1 from leat_outbox_kept where id > (select upto from leat_outbox_cursor) limit 1`
	}
	for waiting := 1; waiting > 0; {
		err := w.db.View(w.t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, `select count(*) from (`+some+`) waiting`).Scan(&waiting)
		})
		if err != nil {
			w.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// BenchmarkBacklog relays 300,000 waiting events each time.
func BenchmarkBacklog(b *testing.B) {
	for _, m := range measured {
		b.Run(m.name, func(b *testing.B) {
			const events = 300_000
			w := m.world(b)
			total, used := 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				w.fill(events)
				b.StartTimer()
				before := cpu()
				_, stop := w.relay()
				w.gone()
				b.StopTimer()
				stop()
				total, used = total+events, used+cpu()-before
				b.StartTimer()
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(used.Seconds()/float64(total)*1e6, "cpu-s/million") // of the test's process
		})
	}
}

// BenchmarkLatency is from the commit to a read_committed reader at 500 events a second.
func BenchmarkLatency(b *testing.B) {
	for _, m := range measured {
		b.Run(m.name, func(b *testing.B) {
			w := m.world(b)
			w.relay()
			w.publish(moved{Key: "k"})
			w.gone()
			committed := make([]atomic.Int64, 1<<20)
			took := make(chan time.Duration, 1<<20)
			reader := w.b.Client(b, kgo.ConsumeTopics(w.topic.Name), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(time.Second))
			go func() {
				for b.Context().Err() == nil {
					now := func() int64 { return time.Now().UnixNano() }
					reader.PollFetches(b.Context()).EachRecord(func(r *kgo.Record) {
						var n int
						if _, err := fmt.Sscanf(string(r.Key), "n%d", &n); err == nil {
							took <- time.Duration(now() - committed[n].Load())
						}
					})
				}
			}()
			time.Sleep(500 * time.Millisecond) // the reader stands at the end
			n := 0
			next := time.Now()
			for b.Loop() {
				w.publish(moved{Key: fmt.Sprint("n", n), N: n})
				committed[n].Store(time.Now().UnixNano())
				n++
				next = next.Add(2 * time.Millisecond)
				time.Sleep(time.Until(next))
			}
			all := make([]time.Duration, 0, n)
			for range n {
				all = append(all, <-took)
			}
			slices.Sort(all)
			for _, p := range []int{50, 90, 99} {
				b.ReportMetric(float64(all[len(all)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
			}
		})
	}
}

// BenchmarkOnce handles events one by one: inbox row, an effect and an event in one transaction.
func BenchmarkOnce(b *testing.B) {
	databases := map[string]func(testing.TB) *sql.Database{"sqlite": sql.SQLite, "postgres": sql.Postgres}
	for name, data := range databases {
		for _, parallel := range []int{1, 16} {
			b.Run(fmt.Sprint(name, " by ", parallel), func(b *testing.B) {
				w := newInboxWorld(b, data(b))
				h := w.bind(outbox.Once(w.topic, effect))
				var offset atomic.Int64
				b.SetParallelism((parallel + 1) / 2)
				before := cpu()
				one := func() {
					n := offset.Add(1)
					if err := h.Handle(b.Context(), w.event(&h, n, fmt.Sprint("id-", n))); err != nil {
						b.Error(err)
					}
				}
				if parallel == 1 {
					for b.Loop() {
						one()
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							one()
						}
					})
				}
				b.ReportMetric(float64(offset.Load())/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric((cpu()-before).Seconds()/float64(offset.Load())*1e6, "cpu-s/million") // of the test's process
			})
		}
	}
}

// BenchmarkTx publishes one event in a transaction.
func BenchmarkTx(b *testing.B) {
	sqlite, postgres := newInboxWorld(b, sql.SQLite(b)), newInboxWorld(b, sql.Postgres(b))
	for name, w := range map[string]*inboxWorld{"sqlite": sqlite, "postgres": postgres} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.publish(stray{N: 1})
			}
		})
	}
}
