package sim_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/sqldb"
)

// check compares what is there with what was asked for.
func (r *run) check() {
	counts := r.counted()
	all := map[string][]int{}
	for key, n := range counts {
		for i := range n {
			all[key] = append(all[key], i+1)
		}
	}
	made := log[made](r, items.Name)
	r.repeats(items.Name, len(made)-len(firsts(made)))
	r.same(items.Name, numbers(firsts(made)), all)

	moved := log[moved](r, moves.Name)
	if r.link == transform {
		r.checkTransform(made, moved)
	} else {
		r.repeats(moves.Name, len(moved)-len(firsts(moved)))
		r.checkOnce(firsts(made))
		r.same(moves.Name, numbers(firsts(moved)), r.effects("middle"))
	}
	r.same("the effects of sink", r.effects("sink"), numbers(firsts(moved)))
	r.checkLetters()
	r.checkWatch(counts)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cover.add("retry", r.retries)
	r.cover.add("unavailable", r.aways)
	r.cover.add("met an outage", r.outaged)
}

// counted is how far source counted each key: once per operation that was asked for.
func (r *run) counted() map[string]int {
	want := map[string]int{}
	for _, op := range r.ops {
		want[op.Key]++
	}
	got := map[string]int{}
	r.query("source", `select k, n from item`, func(scan func(...any) error) error {
		var key string
		var n int
		if err := scan(&key, &n); err != nil {
			return err
		}
		got[key] = n
		return nil
	})
	for key, n := range want {
		if got[key] != n {
			r.t.Errorf("source counted %s to %d, want %d: an operation was done twice or not at all", key, got[key], n)
		}
	}
	return want
}

// logged is an event on a topic.
type logged[T any] struct {
	id   string
	at   recordAt
	data T
}

// log reads a topic as a new read_committed reader would, without foreign records.
func log[T any](r *run, topic string) (events []logged[T]) {
	for _, rec := range r.s.Broker().ReadAll(r.t, topic, kgo.ReadCommitted()) {
		w, err := kafka.WireOf(rec)
		if err != nil || w.Attribute("source") == "nobody" || w.Attribute("id") == "" {
			continue
		}
		data, err := decode[T](r, w)
		if err != nil {
			r.t.Errorf("%s at %v: %v", topic, w.Position(), err)
			continue
		}
		events = append(events, logged[T]{w.Attribute("id"), recordAt{rec.Partition, rec.Offset}, data})
	}
	return events
}

func decode[T any](r *run, w leat.Wire) (data T, err error) {
	e := leat.NewEnvelope(w, nil, nil, 1)
	if ref, refers, err := blob.RefOf(e); err != nil {
		return data, err
	} else if refers {
		whole, err := blob.Fetch(context.Background(), r.store, ref, 1<<20)
		if err != nil {
			return data, err
		}
		e = e.WithData(whole)
		r.cover.add("claimed", 1)
	}
	ev, err := leat.DecodeEvent[T](e)
	if err != nil {
		return data, err
	}
	return ev.Data, nil
}

// firsts are the events without those that come again.
func firsts[T any](events []logged[T]) (first []T) {
	seen := map[string]bool{}
	for _, e := range events {
		if !seen[e.id] {
			first = append(first, e.data)
		}
		seen[e.id] = true
	}
	return first
}

// repeats: on Kafka only what the test wrote again comes again.
func (r *run) repeats(topic string, n int) {
	if !r.embedded && n != r.doubled[topic] {
		r.t.Errorf("%s holds %d repeats, and the test wrote %d", topic, n, r.doubled[topic])
	}
}

func (r *run) same(what string, got, want map[string][]int) {
	for key := range keys {
		k := fmt.Sprintf("key-%d", key)
		if !slices.Equal(got[k], want[k]) {
			r.t.Errorf("%s: %v of %s, want %v", what, got[k], k, want[k])
		}
	}
}

// effects are those of a service, by key, in the order in which they took place.
func (r *run) effects(service string) map[string][]int {
	got := map[string][]int{}
	r.query(service, `select k, n from effect order by seq`, func(scan func(...any) error) error {
		var key string
		var n int
		if err := scan(&key, &n); err != nil {
			return err
		}
		got[key] = append(got[key], n)
		return nil
	})
	return got
}

// checkOnce: what was not to fail took effect once and in order, what was mended once, and what fails
// for good not at all.
func (r *run) checkOnce(events []made) {
	want, back := map[string][]int{}, map[string][]int{}
	for _, e := range events {
		switch doomed, mended := r.fateOf(e.Op); {
		case mended:
			back[e.Key] = append(back[e.Key], e.N)
		case !doomed:
			want[e.Key] = append(want[e.Key], e.N)
		}
	}
	checkOrder(r, "the effects of middle", r.effects("middle"), want, back)
}

// checkTransform: each record of items that was not to fail has left one output, in the order of the
// records; each that was mended one, anywhere; and each that fails for good none. Without transactions an
// output may come again.
func (r *run) checkTransform(events []logged[made], outputs []logged[moved]) {
	want, back, got := map[string][]recordAt{}, map[string][]recordAt{}, map[string][]recordAt{}
	for _, e := range events {
		switch doomed, mended := r.fateOf(e.data.Op); {
		case mended:
			back[e.data.Key] = append(back[e.data.Key], e.at)
		case !doomed:
			want[e.data.Key] = append(want[e.data.Key], e.at)
		}
	}
	seen := map[recordAt]bool{}
	for _, m := range outputs { // told apart by their records: those of two copies of a record may share their id
		if from := (recordAt{m.data.Part, m.data.At}); !seen[from] {
			seen[from] = true
			got[m.data.Key] = append(got[m.data.Key], from)
		}
	}
	r.repeats(moves.Name, len(outputs)-len(seen))
	checkOrder(r, "the outputs of middle", got, want, back)
}

// checkOrder: want in this order, and each of back once and anywhere.
func checkOrder[T comparable](r *run, what string, got, want, back map[string][]T) {
	for key := range keys {
		k := fmt.Sprintf("key-%d", key)
		times := map[T]int{}
		for _, e := range got[k] {
			times[e]++
		}
		for _, e := range back[k] {
			if times[e] != 1 {
				r.t.Errorf("%s: %v of %s was mended and is there %d times in %v", what, e, k, times[e], got[k])
			}
		}
		rest := slices.DeleteFunc(slices.Clone(got[k]), func(e T) bool { return slices.Contains(back[k], e) })
		if !slices.Equal(rest, want[k]) {
			r.t.Errorf("%s: %v of %s, want %v; back came %v", what, rest, k, want[k], back[k])
		}
		r.cover.add("came back", len(back[k]))
	}
}

// checkLetters: the letters of middle tell what became of their events, and there are no others; watch
// buried nothing but what is no event.
func (r *run) checkLetters() {
	dead, middle := r.deadLetters("middle")
	buried, junk := r.deadLetters("watch")
	if len(buried) > 0 {
		r.t.Errorf("watch has dead letters of %v, and nothing of it fails for good", buried)
	}
	r.checkJunk("middle", middle)
	r.checkJunk("watch", junk)
	r.cover.add("dead letter", len(dead)+len(junk))
	for at, letter := range r.letters() {
		op, ok := dead[at]
		if !ok {
			continue // no event
		}
		state := letter.State()
		doomed, mended := r.fateOf(op)
		switch {
		case mended && state != redrive.Done:
			r.t.Errorf("the letter of %s at %v was mended and given back, and is %s: newest copy of %d at %v, notes %+v", op, at, state, letter.Copies, letter.At, letter.Notes)
		case doomed && state != redrive.DeadAgain:
			r.t.Errorf("the letter of %s at %v was given back to fail again, and is %s: newest copy of %d at %v, notes %+v", op, at, state, letter.Copies, letter.At, letter.Notes)
		case !mended && !doomed:
			r.t.Errorf("%s at %v is a dead letter, and was not to fail for good", op, at)
		}
		r.cover.add("letter "+string(state), 1)
	}
}

// letters are those of middle, with what the notes and topics tell about them.
func (r *run) letters() map[recordAt]*redrive.Letter {
	client, err := kafka.Open(context.Background(), r.s.Kafka())
	if err != nil {
		r.t.Fatalf("look at the dead letters: %v", err)
	}
	defer client.Close()
	story, err := redrive.Read(context.Background(), client, "middle", items.Name)
	if err != nil {
		r.t.Fatalf("look at the dead letters: %v", err)
	}
	letters := map[recordAt]*redrive.Letter{}
	for _, l := range story.Letters() {
		letters[recordAt{l.Source.Partition, l.Source.Offset}] = l
	}
	return letters
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

// deadLetters are those of a group on items, by their source: the operations of events, and what is none.
func (r *run) deadLetters(group string) (events map[recordAt]string, junk map[recordAt]bool) {
	events, junk = map[recordAt]string{}, map[recordAt]bool{}
	for _, rec := range r.s.Broker().ReadAll(r.t, leat.DeadLetters(items.Name, group), kgo.ReadCommitted()) {
		var hs []leat.Header
		for _, h := range rec.Headers {
			hs = append(hs, leat.Header(h))
		}
		if _, is := redrive.ParseNote(hs); is {
			continue
		}
		d, err := consumer.ParseDeadLetter(hs)
		if err != nil {
			r.t.Errorf("dead letter: %v", err)
			continue
		}
		at := recordAt{d.Source.Partition, d.Source.Offset}
		if d.Reason == consumer.ReasonNotAnEvent || d.Reason == consumer.ReasonUndecodable {
			junk[at] = true
			continue
		}
		w, err := kafka.WireOf(rec)
		if err != nil {
			r.t.Errorf("dead letter of %v: %v", d.Source, err)
			continue
		}
		data, err := decode[made](r, w)
		if err != nil {
			r.t.Errorf("dead letter of %v: %v", d.Source, err)
			continue
		}
		events[at] = data.Op
	}
	return events, junk
}

func (r *run) checkJunk(group string, junk map[recordAt]bool) {
	for _, at := range r.junk {
		if !junk[at] {
			r.t.Errorf("foreign bytes at %d/%d are not in the dead letters of %s", at.partition, at.offset, group)
		}
	}
	if len(junk) != len(r.junk) {
		r.t.Errorf("%d records are dead letters of %s as no events, want %d", len(junk), group, len(r.junk))
	}
}

// numbers are the events by key.
func numbers[T interface{ of() (string, int) }](events []T) map[string][]int {
	by := map[string][]int{}
	for _, e := range events {
		key, n := e.of()
		by[key] = append(by[key], n)
	}
	return by
}

func (e made) of() (string, int)  { return e.Key, e.N }
func (e moved) of() (string, int) { return e.Key, e.N }

// sorted are the operations, each once, in an order that a seed repeats.
func sorted(letters map[recordAt]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(letters)))
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
