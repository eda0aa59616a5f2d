package outbox_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// What has left is sent again, as the events that they were and in their order, and what was chosen only;
// an inbox that knows them passes over them.
func TestReplaySendsWhatWasKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains, func(c *outbox.Config) { c.Payloads, c.PayloadAbove = openStore(t), 2000 })
	_, stop := w.relay()
	const n = 30
	for i := range n {
		w.publish(moved{Key: "k", N: i + 1}, moved{Key: "other", N: i + 1})
	}
	w.publish(moved{Key: "large", Pad: random(5000)}) // its data lies in the store
	w.empty()
	stop()
	w.publish(moved{Key: "k", N: n + 1}) // has not left
	middle := w.data.Int(t, `select written from (select written from leat_outbox_kept where key = 'k' order by id limit 1 offset 10) at`)
	chosen := outbox.Replay{From: time.UnixMicro(middle), Key: "k", Topic: w.topic.Name, Type: "test.thing.moved.v1"}
	kept, err := w.box.Kept(t.Context(), chosen)
	if err != nil || len(kept) != 1 || kept[0].Events != n-10 || kept[0].First.UnixMicro() != middle || kept[0].Topic != w.topic.Name {
		t.Fatalf("kept are %+v, %v", kept, err)
	}
	for name, none := range map[string]outbox.Replay{
		"topic": {Topic: "another"}, "type": {Type: "another"}, "key": {Key: "another"}, "to": {To: time.UnixMicro(1)}, "from": {From: time.Now().Add(time.Hour)},
		"from row": {FromID: kept[0].LastID + 10}, "to row": {FromID: 10, ToID: 9},
	} {
		if all, err := w.box.Kept(t.Context(), none); err != nil || len(all) > 0 {
			t.Errorf("%s: kept are %+v, %v", name, all, err)
		}
	}
	put, last, err := w.box.Replay(t.Context(), chosen)
	if err != nil || put != n-10 || last != kept[0].LastID {
		t.Errorf("%d events up to row %d are replayed, %v", put, last, err)
	}
	if put, _, err := w.box.Replay(t.Context(), outbox.Replay{Key: "large"}); err != nil || put != 1 {
		t.Errorf("%d large events are replayed, %v", put, err)
	}
	w.relay()
	w.empty()
	var payloads []string
	all := slices.DeleteFunc(w.read(w.topic.Name), func(s seen) bool {
		name := header(s.rec, blob.HeaderName)
		if name != "" {
			payloads = append(payloads, s.id+name)
		}
		return name != ""
	})
	if len(payloads) != 2 || payloads[0] != payloads[1] {
		t.Errorf("the large event has left as %v", payloads)
	}
	others := slices.DeleteFunc(slices.Clone(all), func(s seen) bool { return s.Key == "k" })
	inOrder(t, others, n)
	mine := slices.DeleteFunc(all, func(s seen) bool { return s.Key != "k" }) // all in one partition
	if len(mine) != n+1+n-10 {
		t.Fatalf("%d events of the key, want %d", len(mine), n+1+n-10)
	}
	inOrder(t, mine[:n+1], n+1) // what waited goes first
	for i, s := range mine[n+1:] {
		if was := mine[10+i]; s.id != was.id || s.moved != was.moved || !bytes.Equal(was.rec.Value, s.rec.Value) {
			t.Errorf("event %d came again as %s %+v, it was %s %+v", 11+i, s.id, s.moved, was.id, was.moved)
		}
	}
	if n := w.data.Int(t, `select count(*) - count(distinct event_id) from leat_outbox_kept`); n != 0 {
		t.Errorf("%d events are kept twice", n)
	}
}
