package sim_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/sqldb"
)

// mark is one effect, or one event: the n-th of a key.
type mark struct {
	key string
	n   int
}

// check compares what is there with what was asked for.
func (r *run) check() {
	want := r.counted()
	logged := r.log(items.Name)
	r.checkLog(items.Name, logged, want)
	dead, _ := r.deadLetters(items.Name, "middle")
	_, junk := r.deadLetters(items.Name, "watch")
	r.checkJunk(junk)

	alive := map[string][]int{} // what middle has to have taken
	for key, n := range want {
		for i := 1; i <= n; i++ {
			if !dead[mark{key, i}] {
				alive[key] = append(alive[key], i)
			}
		}
	}
	r.checkDead(dead)
	r.checkEffects("middle", alive)
	r.checkLogOf(moves.Name, r.log(moves.Name), alive)
	r.checkEffects("sink", alive)
	r.checkWatch(want)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cover.add("retry", r.retries)
	r.cover.add("unavailable", r.aways)
	r.cover.add("dead letter", len(dead)+len(r.junk))
}

// counted is how far source counted each key: once per operation that was asked for.
func (r *run) counted() map[string]int {
	want := map[string]int{}
	for _, op := range r.ops {
		want[op.Key]++
	}
	got := map[string]int{}
	r.query("source", `select k, n from item`, func(scan func(...any) error) error {
		var m mark
		if err := scan(&m.key, &m.n); err != nil {
			return err
		}
		got[m.key] = m.n
		return nil
	})
	for key, n := range want {
		if got[key] != n {
			r.t.Errorf("source counted %s to %d, want %d: an operation was done twice or not at all", key, got[key], n)
		}
	}
	return want
}

// log reads a topic as a new read_committed reader would, without foreign records.
func (r *run) log(topic string) (events []logged) {
	for _, rec := range r.s.Broker().ReadAll(r.t, r.s.Topic(topic), kgo.ReadCommitted()) {
		w, err := kafka.WireOf(rec)
		if err != nil || w.Attribute("source") == "nobody" || w.Attribute("id") == "" {
			continue
		}
		ev, err := leat.DecodeEvent[made](leat.NewEnvelope(w, nil, nil, 1))
		if err != nil {
			r.t.Errorf("%s at %v: %v", topic, w.Position(), err)
			continue
		}
		events = append(events, logged{w.Attribute("id"), mark{ev.Data.Key, ev.Data.N}})
	}
	return events
}

type logged struct {
	id string
	mark
}

func (r *run) checkLog(topic string, events []logged, want map[string]int) {
	full := map[string][]int{}
	for key, n := range want {
		for i := 1; i <= n; i++ {
			full[key] = append(full[key], i)
		}
	}
	r.checkLogOf(topic, events, full)
}

// checkLogOf: each key's events in order, each once; on the embedded broker, and where the test
// wrote records again, the first ones count.
func (r *run) checkLogOf(topic string, events []logged, want map[string][]int) {
	first, ids := map[string][]int{}, map[string]int{}
	for _, e := range events {
		if ids[e.id]++; ids[e.id] == 1 {
			first[e.key] = append(first[e.key], e.n)
		}
	}
	repeats := len(events) - len(ids)
	if !r.embedded && repeats > r.doubled {
		r.t.Errorf("%s holds %d repeats, and the test wrote %d: the relay sent events twice", topic, repeats, r.doubled)
	}
	r.same(topic, first, want)
}

func (r *run) same(what string, got, want map[string][]int) {
	for key := range keys {
		k := fmt.Sprintf("key-%d", key)
		if !slices.Equal(got[k], want[k]) {
			r.t.Errorf("%s has %v of %s, want %v", what, got[k], k, want[k])
		}
	}
}

func (r *run) checkEffects(service string, want map[string][]int) {
	got := map[string][]int{}
	r.query(service, `select k, n from effect order by seq`, func(scan func(...any) error) error {
		var m mark
		if err := scan(&m.key, &m.n); err != nil {
			return err
		}
		got[m.key] = append(got[m.key], m.n)
		return nil
	})
	r.same("the effects of "+service, got, want)
}

// checkWatch: a plain handler sees each event at least once, first sightings in order.
func (r *run) checkWatch(want map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, n := range want {
		next := 1
		for _, got := range r.seen[key] {
			if got > next {
				r.t.Errorf("watch saw %d of %s before %d: %v", got, key, next, r.seen[key])
				break
			}
			if got == next {
				next++
			}
		}
		if next <= n {
			r.t.Errorf("watch saw %s to %d, want %d", key, next-1, n)
		}
	}
}

// deadLetters are those of a group on a topic, by event and by coordinate of what is none.
func (r *run) deadLetters(topic, group string) (events map[mark]bool, junk map[recordAt]int) {
	events, junk = map[mark]bool{}, map[recordAt]int{}
	seen := map[string]bool{}
	for _, rec := range r.s.Broker().ReadAll(r.t, leat.DeadLetters(r.s.Topic(topic), group), kgo.ReadCommitted()) {
		var hs []leat.Header
		for _, h := range rec.Headers {
			hs = append(hs, leat.Header(h))
		}
		d, err := consumer.ParseDeadLetter(hs)
		if err != nil {
			r.t.Errorf("dead letter: %v", err)
			continue
		}
		if seen[d.ID()] {
			continue // a crash between the letter and the commit: it counts once
		}
		seen[d.ID()] = true
		if d.Reason == consumer.ReasonNotAnEvent || d.Reason == consumer.ReasonUndecodable {
			junk[recordAt{d.Source.Partition, d.Source.Offset}]++
			continue
		}
		w, err := kafka.WireOf(rec)
		if err != nil {
			r.t.Errorf("dead letter of %v: %v", d.Source, err)
			continue
		}
		ev, err := leat.DecodeEvent[made](leat.NewEnvelope(w, nil, nil, 1))
		if err != nil {
			r.t.Errorf("dead letter of %v: %v", d.Source, err)
			continue
		}
		events[mark{ev.Data.Key, ev.Data.N}] = true
	}
	return events, junk
}

// checkDead: what is dead was to die, and what was to die is dead.
func (r *run) checkDead(dead map[mark]bool) {
	doomed := 0
	r.mu.Lock()
	for _, f := range r.fates {
		if f.permanent || f.fails > 3 {
			doomed++
		}
	}
	r.mu.Unlock()
	if len(dead) > doomed {
		r.t.Errorf("%d events are dead letters, and %d were to fail for good: %v", len(dead), doomed, dead)
	}
}

func (r *run) checkJunk(junk map[recordAt]int) {
	for _, at := range r.junk {
		if junk[at] == 0 {
			r.t.Errorf("foreign bytes at %d/%d are not in the dead letters", at.partition, at.offset)
		}
	}
	if len(junk) != len(r.junk) {
		r.t.Errorf("%d records are dead letters as no events, want %d", len(junk), len(r.junk))
	}
}

func (r *run) query(service, query string, row func(scan func(...any) error) error) {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, sqldb.Config{URL: r.s.Database(service).URL})
	if err != nil {
		r.t.Fatalf("open the database of %s: %v", service, err)
	}
	defer db.Close()
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err := tx.Query(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		r.t.Fatalf("look at the database of %s: %v", service, err)
	}
}
