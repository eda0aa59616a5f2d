package lane

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// event is an item of the model: what the scheduler holds, in one flat list.
type event struct {
	it    *Item[int]
	part  int
	key   int // 0: loose
	class int
	state string // queued, out, waiting, delayed, gated, ended
	due   int64
	probe bool
	let   bool // through the gate
	place int  // at the gate
}

// batches is the model's class that gives out batches.
const (
	batches   = 3
	batchMax  = 3
	batchWait = 5
)

// model does what Scheduler does by looking through the list.
type model struct {
	t      *testing.T
	s      *Scheduler[int]
	limit  int
	limits []int
	parts  []*Part[int]
	frozen map[int]bool
	halted map[int]bool
	still  map[int]bool // classes that are halted
	closed map[int]bool
	events []*event
	now    int64
	gate   Gate[int]
	gated  int
}

func (m *model) count(class int, states ...string) (n int) {
	for _, e := range m.events {
		for _, s := range states {
			if e.state == s && (class < 0 || e.class == class) {
				n++
			}
		}
	}
	return n
}

// startable says whether Next may give out e.
func (m *model) startable(i int) bool {
	e := m.events[i]
	if e.state != "queued" && !(e.state == "delayed" && e.due <= m.now) || m.closed[e.part] {
		return false
	}
	if m.halted[e.part] || m.still[e.class] {
		return false
	}
	if m.frozen[e.part] && !e.probe {
		return false
	}
	if m.count(-1, "out") >= m.limit || m.count(e.class, "out") >= m.limits[e.class] {
		return false
	}
	if e.key == 0 {
		return true
	}
	for _, before := range m.events[:i] {
		if before.part == e.part && before.key == e.key && before.state != "ended" {
			return false
		}
	}
	return true
}

func (m *model) next() {
	m.s.Wake(m.now)
	it := m.s.Next()
	if it == nil {
		unripe := 0
		for i, e := range m.events {
			if !m.startable(i) {
				continue
			}
			if unripe++; e.class != batches || unripe >= batchMax {
				m.t.Fatalf("Next gives nothing, but event %d may start", i)
			}
		}
		if unripe > 0 && m.s.Unstamped() {
			m.t.Fatal("a batch waits without end")
		}
		return
	}
	e := m.events[it.Value]
	if e.it != it || !m.startable(it.Value) {
		m.t.Fatalf("Next gives event %d (%+v), which may not start", it.Value, *e)
	}
	if it.Let() != e.let {
		m.t.Fatalf("event %d let through: %v, want %v", it.Value, it.Let(), e.let)
	}
	e.state = "out"
}

// join takes one more of the class of an event that is out.
func (m *model) join(with *event) {
	m.s.Wake(m.now)
	it := m.s.Join(with.it)
	startable := func(i int) bool {
		limit, limits := m.limit, m.limits[with.class]
		m.limit, m.limits[with.class] = 1000, 1000
		defer func() { m.limit, m.limits[with.class] = limit, limits }()
		return m.events[i].class == with.class && m.startable(i)
	}
	if it == nil {
		for i := range m.events {
			if startable(i) {
				m.t.Fatalf("Join gives nothing, but event %d may go along", i)
			}
		}
		return
	}
	if !startable(it.Value) {
		m.t.Fatalf("Join gives event %d (%+v), which may not start", it.Value, *m.events[it.Value])
	}
	m.events[it.Value].state = "waiting"
}

// open lets n through the gate, those that came first.
func (m *model) open(n int) {
	m.s.Open(&m.gate, n)
	for range n {
		var first *event
		for _, e := range m.events {
			if e.state == "gated" && (first == nil || e.place < first.place) {
				first = e
			}
		}
		if first != nil {
			first.state, first.let = "queued", true
		}
	}
}

// pick is an event that is out or waiting.
func (m *model) pick(b byte) *event {
	var held []*event
	for _, e := range m.events {
		if e.state == "out" || e.state == "waiting" {
			held = append(held, e)
		}
	}
	if len(held) == 0 {
		return nil
	}
	return held[int(b)%len(held)]
}

func (m *model) step(op, b byte) {
	part := int(b>>2) % len(m.parts)
	switch op % 22 {
	case 0, 1, 2, 3:
		if m.closed[part] {
			m.parts[part] = m.s.NewPart()
			for _, e := range m.events {
				if e.part == part {
					e.part = -1 - e.part // of the old one
				}
			}
			delete(m.closed, part)
			delete(m.frozen, part)
			delete(m.halted, part)
		}
		e := &event{it: new(Item[int]), part: part, key: int(b) % 5, class: int(b>>4) % len(m.limits), state: "queued"}
		e.it.Value = len(m.events)
		m.events = append(m.events, e)
		key := Loose
		if e.key > 0 {
			key = KeyOf(uint64(e.key) * 64) // all in one bucket
		}
		m.s.Add(m.parts[part], e.it, e.class, key, 10)
	case 4, 5, 6, 7, 8:
		m.next()
	case 9, 10:
		if e := m.pick(b); e != nil {
			m.s.Done(e.it)
			e.state = "ended"
		}
	case 11:
		switch e := m.pick(b); {
		case e == nil:
		case e.state == "out":
			m.s.Wait(e.it)
			e.state = "waiting"
		default:
			m.s.Pass(e.it)
			e.key = 0 // nobody waits for it any more
		}
	case 12:
		if e := m.pick(b); e != nil {
			e.state, e.due, e.probe = "delayed", m.now+int64(b%16), b%2 == 0
			e.let = false
			m.s.Delay(e.it, e.due, e.probe)
			if m.closed[e.part] || e.part < 0 {
				e.state = "ended"
			}
		}
	case 13:
		m.now += int64(b % 16)
	case 14:
		m.stop(part, b)
	case 15:
		if b < 40 && !m.closed[part] {
			m.s.Close(m.parts[part])
			m.closed[part] = true
			for _, e := range m.events {
				if e.part == part && (e.state == "queued" || e.state == "delayed" || e.state == "gated") {
					e.state = "ended"
				}
			}
		}
	case 16:
		if e := m.pick(b); e != nil && e.state == "out" {
			m.join(e)
		}
	case 17:
		if e := m.pick(b); e != nil && e.state == "out" {
			m.s.Hold(&m.gate, e.it)
			e.state, e.let, e.place = "gated", false, m.gated
			m.gated++
			if e.part < 0 || m.closed[e.part] {
				e.state = "ended"
			}
		}
	case 18:
		m.open(int(b) % 4)
	case 20:
		if e := m.pick(b); e != nil && e.state == "waiting" {
			m.s.Return(e.it)
			e.state, e.let = "queued", false
			if e.part < 0 || m.closed[e.part] {
				e.state = "ended"
			}
		}
	case 21:
		if e := m.pick(b); e != nil && e.state == "waiting" {
			m.s.Start(e.it)
			e.state, e.let = "out", false
		}
	case 19:
		if e := m.pick(b); e != nil {
			e.class = int(b>>4) % len(m.limits)
			m.s.Move(e.it, e.class)
		}
		class := int(b>>2) % len(m.limits)
		m.limits[class] = int(b>>5) % 5
		m.s.SetLimit(class, m.limits[class])
	}
	m.check()
}

// stop freezes, thaws, halts or resumes.
func (m *model) stop(part int, b byte) {
	on := b%2 == 0
	switch class := int(b>>2) % len(m.limits); {
	case b&64 != 0:
		m.still[class] = on
		m.s.HaltClass(class, on)
	case m.closed[part]:
	case b&128 != 0:
		if m.halted[part] = on; on {
			m.s.Halt(m.parts[part])
		} else {
			m.s.Resume(m.parts[part])
		}
	default:
		if m.frozen[part] = on; on {
			m.s.Freeze(m.parts[part])
		} else {
			m.s.Thaw(m.parts[part])
		}
	}
}

func (m *model) check() {
	if got, want := m.s.Out(), m.count(-1, "out"); got != want {
		m.t.Fatalf("%d out, want %d", got, want)
	}
	for i, p := range m.parts {
		inHand, items := 0, 0
		for _, e := range m.events {
			if e.part == i && e.state != "ended" {
				items++
				if e.state == "out" || e.state == "waiting" {
					inHand++
				}
			}
		}
		if p.InHand() != inHand {
			m.t.Fatalf("part %d: %d in hand, want %d", i, p.InHand(), inHand)
		}
		if !m.closed[i] && (p.Items() != items || p.Bytes() != 10*items) {
			m.t.Fatalf("part %d: %d items of %d bytes, want %d", i, p.Items(), p.Bytes(), items)
		}
	}
}

func walkScheduler(t *testing.T, data []byte) {
	m := &model{t: t, limit: 5, limits: []int{3, 1, 4, 2}, frozen: map[int]bool{}, halted: map[int]bool{}, still: map[int]bool{}, closed: map[int]bool{}}
	m.s = NewScheduler[int](m.limit, m.limits...)
	m.s.Batch(batches, batchMax, batchWait)
	for range 3 {
		m.parts = append(m.parts, m.s.NewPart())
	}
	for i := 0; i+1 < len(data) && len(m.events) < 300; i += 2 {
		m.step(data[i], data[i+1])
	}
	for i := range m.parts { // nothing stays behind
		m.frozen[i], m.halted[i] = false, false
		m.s.Thaw(m.parts[i])
		m.s.Resume(m.parts[i])
	}
	for class := range m.limits {
		m.still[class] = false
		m.s.HaltClass(class, false)
	}
	for class := range m.limits {
		m.limits[class] = 4
		m.s.SetLimit(class, 4)
	}
	m.open(1000)
	for m.count(-1, "out", "waiting", "queued", "delayed") > 0 {
		before := m.count(-1, "ended")
		m.s.Wake(m.now) // stamps a batch
		m.now += 1000
		m.next()
		if e := m.pick(0); e != nil {
			m.s.Done(e.it)
			e.state = "ended"
		}
		if m.count(-1, "ended") == before {
			t.Fatal("nothing moves, but not all has ended")
		}
	}
}

func TestSchedulerDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			data := make([]byte, 600)
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			walkScheduler(t, data)
		})
	}
}

func FuzzScheduler(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 4, 0, 12, 2, 13, 9, 4, 0, 9, 0})
	f.Fuzz(func(t *testing.T, data []byte) { walkScheduler(t, data) })
}

func TestALaneGivesOutItsItemsOneByOneInOrder(t *testing.T) {
	t.Parallel()
	s := NewScheduler[int](10, 10)
	p := s.NewPart()
	items := make([]Item[int], 5)
	for i := range items {
		items[i].Value = i
		s.Add(p, &items[i], 0, KeyOf(7), 1)
	}
	for i := range items {
		it := s.Next()
		if it == nil || it.Value != i {
			t.Fatalf("Next gives %v, want %d", it, i)
		}
		if s.Next() != nil {
			t.Fatal("two of a lane are out")
		}
		s.Done(it)
	}
}

func TestClassesTakeTurns(t *testing.T) {
	t.Parallel()
	s := NewScheduler[string](100, 100, 100)
	p := s.NewPart()
	items := make([]Item[string], 6)
	for i := range items {
		items[i].Value = []string{"a", "b"}[i/3]
		s.Add(p, &items[i], i/3, Loose, 1)
	}
	var got string
	for it := s.Next(); it != nil; it = s.Next() {
		got += it.Value
	}
	if got != "ababab" {
		t.Errorf("given out %s, want ababab", got)
	}
}

func TestWhatIsNotOutCanNotBeGivenBack(t *testing.T) {
	t.Parallel()
	s := NewScheduler[int](1, 1)
	it := new(Item[int])
	s.Add(s.NewPart(), it, 0, Loose, 1)
	s.Next()
	s.Done(it)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.Done(it)
}

func BenchmarkScheduler(b *testing.B) {
	s := NewScheduler[int](100, 100)
	p := s.NewPart()
	items := make([]Item[int], 1000)
	b.ReportAllocs()
	for b.Loop() {
		clear(items)
		for i := range items {
			s.Add(p, &items[i], 0, KeyOf(uint64(i)*0x9e3779b97f4a7c15), 1)
		}
		for it := s.Next(); it != nil; it = s.Next() {
			s.Done(it)
		}
	}
}
