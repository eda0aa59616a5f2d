package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/leatdev/leat/test/chaos/audit"
)

// world is a little system without a fault that writes down what it does.
type world struct {
	*rand.Rand
	lines []Line
	now   int64
	n     int64
	logs  map[at]*plog
	order []at // of logs
	open  []*open
	group map[string]*group
}

// at is a partition.
type at struct {
	topic     string
	partition int32
}

// entry is a record in a log, with the transaction that decides on it.
type entry struct {
	Record
	txn *open // nil: visible
}

// plog is a partition.
type plog struct {
	entries []entry
	next    int64
	polled  int // of entries, by the reader
}

// open is a transaction.
type open struct {
	actor string
	n     int64
	recs  []Record
	ended bool
	shown bool
}

// group is a service: what it takes, and how far it is.
type group struct {
	seq     int64
	done    map[string]bool
	effects []Record
}

// The shop of the little system.
var groups = map[string]map[string][]string{
	"order":        {"shop.payments": {"shop.payment.succeeded.v1", "shop.payment.failed.v1"}, "shop.shipments": {"shop.shipment.dispatched.v1"}},
	"payment":      {"shop.orders": {"shop.order.created.v1", "shop.order.cancelled.v1"}},
	"inventory":    {"shop.payments": {"shop.payment.succeeded.v1"}},
	"shipping":     {"shop.inventory": {"shop.inventory.reserved.v1"}},
	"notification": {"shop.orders": {"shop.order.completed.v1", "shop.order.cancelled.v1"}},
}

var shopTopics = []string{"shop.orders", "shop.payments", "shop.inventory", "shop.shipments", "shop.notifications"}

func newWorld(seed uint64) *world {
	return &world{Rand: rand.New(rand.NewPCG(seed, 0)), now: 1, logs: map[at]*plog{}, group: map[string]*group{}}
}

func (w *world) say(l Line) {
	w.now += 1 + w.Int64N(1000)
	l.At = w.now
	w.lines = append(w.lines, l)
}

func (w *world) log(a at) *plog {
	if w.logs[a] == nil {
		w.logs[a] = &plog{}
		w.order = append(w.order, a)
	}
	return w.logs[a]
}

// put appends a record to its partition and tells where it lies.
func (w *world) put(r *Record, txn *open) {
	log := w.log(at{r.Topic, r.Partition})
	r.Offset = log.next
	log.next++
	log.entries = append(log.entries, entry{*r, txn})
}

func (w *world) id() string {
	w.n++
	return fmt.Sprintf("id-%d", w.n)
}

// step is one thing that an actor or a reader does.
func (w *world) step() {
	switch {
	case w.IntN(3) == 0:
		w.send()
	case len(w.open) < 3 && w.IntN(2) == 0:
		w.begin()
	case len(w.open) > 0:
		w.end(w.IntN(len(w.open)))
	default:
		w.poll()
	}
}

func (w *world) record() Record {
	key := w.IntN(20)
	return Record{Topic: "t", Partition: int32(key % 3), Key: fmt.Sprint("k", key), ID: w.id()}
}

// send is a write without a transaction, whose answer may get lost.
func (w *world) send() {
	w.n++
	n, r := w.n, w.record()
	w.say(Line{Actor: "sender", N: n, Is: Begun, Op: Write, Records: []Record{r}})
	lost := w.IntN(20) == 0
	if !lost || w.IntN(2) == 0 {
		w.put(&r, nil)
	}
	if lost {
		w.say(Line{Actor: "sender", N: n, Is: Info, Op: Write})
		return
	}
	w.say(Line{Actor: "sender", N: n, Is: OK, Op: Write, Records: []Record{r}})
}

func (w *world) begin() {
	w.n++
	t := &open{actor: fmt.Sprint("writer-", w.n), n: w.n}
	for range 2 + w.IntN(4) {
		t.recs = append(t.recs, w.record())
	}
	w.say(Line{Actor: t.actor, N: t.n, Is: Begun, Op: Write, Txn: true, Records: append([]Record(nil), t.recs...)})
	for i := range t.recs {
		w.put(&t.recs[i], t)
	}
	w.open = append(w.open, t)
}

// end commits, aborts, or leaves nobody knowing; a marker takes an offset of each partition.
func (w *world) end(i int) {
	t := w.open[i]
	w.open = append(w.open[:i], w.open[i+1:]...)
	how := w.IntN(10)
	if how != 0 && how != 3 { // 0: aborted, 3: dies before it asks
		w.say(Line{Actor: t.actor, N: t.n, Is: Ending, Op: Write, Txn: true})
	}
	t.ended, t.shown = true, how > 3 || how == 1
	marked := map[at]bool{}
	for _, r := range t.recs {
		if a := (at{r.Topic, r.Partition}); !marked[a] {
			marked[a] = true
			w.log(a).next++
		}
	}
	switch how {
	case 0:
		w.say(Line{Actor: t.actor, N: t.n, Is: Fail, Op: Write, Txn: true})
	case 1, 2:
		w.say(Line{Actor: t.actor, N: t.n, Is: Info, Op: Write, Txn: true})
	case 3:
	default:
		w.say(Line{Actor: t.actor, N: t.n, Is: OK, Op: Write, Txn: true, Records: append([]Record(nil), t.recs...)})
	}
}

// poll gives the reader what is stable.
func (w *world) poll() {
	for _, a := range w.order {
		log := w.logs[a]
		var rc, ru []Record
		for log.polled < len(log.entries) {
			e := log.entries[log.polled]
			if e.txn != nil && !e.txn.ended {
				break
			}
			log.polled++
			ru = append(ru, e.Record)
			if e.txn == nil || e.txn.shown {
				rc = append(rc, e.Record)
			}
		}
		if len(rc) > 0 {
			w.say(Line{Actor: "reader", Is: OK, Op: Poll, Committed: true, Records: rc})
		}
		if len(ru) > 0 {
			w.say(Line{Actor: "dirty", Is: OK, Op: Poll, Records: ru})
		}
		w.say(Line{Actor: "cluster", Is: Saw, Op: Mark, Topic: a.topic, Partition: a.partition, Offset: log.next, Stable: log.next})
	}
}

// event puts an event of the shop on its topic.
func (w *world) event(topic, kind, order, mark string) {
	w.put(&Record{Topic: topic, Partition: int32(len(order) % 2), Key: order, ID: w.id(), Type: kind, Mark: mark}, nil)
}

func (w *world) row(r Row) { w.say(Line{Actor: "final", Is: Saw, Op: Stored, Row: &r}) }

// place is one order with all that comes of it.
func (w *world) place(i int) {
	order, key := fmt.Sprintf("order-%d", i), fmt.Sprintf("key-%d", i)
	goods := []Good{{"nut", 1 + w.Int64N(3)}}
	w.n++
	n := w.n
	w.say(Line{Actor: "load", N: n, Is: Begun, Op: Order, Key: key})
	w.event("shop.orders", "shop.order.created.v1", order, "")
	if w.IntN(10) > 0 {
		w.say(Line{Actor: "load", N: n, Is: OK, Op: Order, Key: key, Order: order})
	}
	o := Row{Table: "orders", ID: order, Key: key, Amount: 100, Currency: "EUR"}
	switch w.IntN(3) {
	case 0:
		o.State, o.Reason = "cancelled", "payment failed"
		w.event("shop.payments", "shop.payment.failed.v1", order, "")
		w.event("shop.orders", "shop.order.cancelled.v1", order, "")
		w.row(Row{Table: "charge", ID: order, State: "failed"})
		w.row(Row{Table: "sandbox", ID: order, Amount: 100, Currency: "EUR"})
		w.row(Row{Table: "reservation", ID: order, State: "voided"})
		w.row(Row{Table: "notice", ID: order + " cancelled", State: "sent"})
		w.event("shop.notifications", "shop.notification.sent.v1", order, "")
	case 1:
		o.State, o.Reason = "cancelled", "customer"
		w.event("shop.orders", "shop.order.cancel_requested.v1", order, "")
		w.event("shop.payments", "shop.payment.succeeded.v1", order, "")
		w.event("shop.inventory", "shop.inventory.reserved.v1", order, "")
		w.event("shop.shipments", "shop.shipment.cancelled.v1", order, "")
		w.event("shop.orders", "shop.order.cancelled.v1", order, "")
		w.event("shop.inventory", "shop.inventory.released.v1", order, "")
		w.event("shop.payments", "shop.payment.refunded.v1", order, "")
		w.row(Row{Table: "charge", ID: order, State: "refunded"})
		w.row(Row{Table: "sandbox", ID: order, In: 1, Out: 1, Amount: 100, Currency: "EUR"})
		w.row(Row{Table: "reservation", ID: order, State: "released", Goods: goods})
		w.row(Row{Table: "shipment", ID: order, State: "cancelled"})
	default:
		o.State = "completed"
		w.event("shop.payments", "shop.payment.succeeded.v1", order, "")
		w.event("shop.inventory", "shop.inventory.reserved.v1", order, "")
		w.event("shop.shipments", "shop.shipment.dispatched.v1", order, "")
		w.event("shop.orders", "shop.order.completed.v1", order, "")
		w.row(Row{Table: "charge", ID: order, State: "charged"})
		w.row(Row{Table: "sandbox", ID: order, In: 1, Amount: 100, Currency: "EUR"})
		w.row(Row{Table: "reservation", ID: order, State: "reserved", Goods: goods})
		w.row(Row{Table: "shipment", ID: order, State: "dispatched", Goods: goods})
		w.row(Row{Table: "notice", ID: order + " completed", State: "sent"})
		w.event("shop.notifications", "shop.notification.sent.v1", order, "")
		w.group["stock"].seq += goods[0].Quantity
	}
	w.row(o)
	if w.IntN(8) == 0 {
		w.put(&Record{Topic: shopTopics[w.IntN(5)], Key: order, ID: w.id(), Type: "shop.gift.v1", Mark: Unknown}, nil)
	}
	if w.IntN(4) == 0 {
		w.put(&Record{Topic: "shop.payments", Key: "bad", Mark: Bad}, nil)
	}
}

// work lets every group take its events in order, each once, and give up what is bad.
func (w *world) work() {
	for _, name := range slices.Sorted(maps.Keys(groups)) { // or a seed would not make one history
		takes := groups[name]
		g := &group{done: map[string]bool{}}
		for _, topic := range shopTopics {
			types, reads := takes[topic]
			if !reads {
				continue
			}
			w.say(Line{Actor: "final", Is: Saw, Op: Takes, Group: name, Topic: topic, Types: types})
			for _, a := range w.order {
				if a.topic != topic {
					continue
				}
				for _, e := range w.logs[a].entries {
					w.take(name, g, types, e.Record)
				}
				w.say(Line{Actor: "cluster", Is: Saw, Op: Offset, Group: name, Topic: topic, Partition: a.partition, Offset: w.logs[a].next / 2})
				w.say(Line{Actor: "cluster", Is: Saw, Op: Offset, Group: name, Topic: topic, Partition: a.partition, Offset: w.logs[a].next, Final: true})
			}
		}
		for some := range slices.Chunk(g.effects, 100) {
			w.say(Line{Actor: "final", Is: Saw, Op: Effect, Group: name, Records: some})
		}
	}
}

func (w *world) take(name string, g *group, types []string, r Record) {
	if r.Mark == Bad {
		for range 1 + w.IntN(2) { // a crash between the letter and the commit writes it twice
			w.say(Line{Actor: "final", Is: Saw, Op: Letter, Group: name, Reason: "not-an-event", Records: []Record{r}})
		}
		return
	}
	for _, t := range types {
		if t == r.Type && !g.done[r.ID] {
			g.seq++
			g.done[r.ID] = true
			r.Seq = g.seq
			g.effects = append(g.effects, r)
		}
	}
}

// finish brings everything to rest and tells what is there.
func (w *world) finish() {
	for len(w.open) > 0 {
		w.end(0)
	}
	w.poll()
	w.say(Line{Actor: "reader", Is: Saw, Op: Reader, Topics: append([]string{"t"}, shopTopics...)})
	for _, a := range w.order {
		log := w.logs[a]
		var rc, ru []Record
		for _, e := range log.entries {
			ru = append(ru, e.Record)
			if e.txn == nil || e.txn.shown {
				rc = append(rc, e.Record)
			}
		}
		for some := range slices.Chunk(ru, 100) {
			w.say(Line{Actor: "final", Is: Saw, Op: Logged, Records: some})
		}
		for some := range slices.Chunk(rc, 100) {
			w.say(Line{Actor: "final", Is: Saw, Op: Logged, Committed: true, Records: some})
		}
		w.say(Line{Actor: "final", Is: Saw, Op: Mark, Topic: a.topic, Partition: a.partition, Offset: log.next, Stable: log.next, Final: true})
	}
	taken := w.group["stock"].seq
	w.row(Row{Table: "stock", ID: "nut", In: taken, Out: 1<<40 - taken, All: 1 << 40})
	w.say(Line{Actor: "runner", Key: "payment-1", Is: Saw, Op: Sample, Final: true, Goroutines: 90, Files: 30, Bytes: 60 << 20})
}

// clean is a whole history without a fault.
func clean(seed uint64, steps, orders int) []Line {
	w := newWorld(seed)
	w.group["stock"] = &group{}
	w.say(Line{Actor: "runner", Key: "payment-1", Is: Saw, Op: Sample, Idle: true, Goroutines: 80, Files: 25, Bytes: 50 << 20})
	for i := range max(steps, orders) {
		if i < steps {
			w.step()
		}
		if i < orders {
			w.place(i)
		}
	}
	w.work()
	w.finish()
	return w.lines
}

// encode writes lines as an actor does.
func encode(t testing.TB, lines []Line) io.Reader {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}
