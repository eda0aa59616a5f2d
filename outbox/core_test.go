package outbox

import (
	"encoding/hex"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares with a file that is never changed once released: rows and positions outlive the
// program that wrote them.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), got); diff != "" {
		t.Errorf("%s has changed:\n%s", path, diff)
	}
}

func full() leat.Message {
	return leat.Message{
		Source: "payment", Subject: "42", Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), ContentType: "application/json",
		CorrelationID: "c", CausationID: "u", TraceParent: "00-1-2-01", TraceState: "s=1",
		Headers: []leat.Header{{Key: "a", Value: []byte("b")}, {Key: "empty", Value: []byte{}}, {Key: "null"}},
	}
}

func TestAttributesAreWrittenAsEver(t *testing.T) {
	t.Parallel()
	m := full()
	golden(t, "attributes.v1.hex", hex.EncodeToString(appendAttributes(nil, &m)))
}

func TestAttributesComeBack(t *testing.T) {
	t.Parallel()
	for _, want := range []leat.Message{{}, full()} {
		var got leat.Message
		if err := readAttributes(string(appendAttributes(nil, &want)), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzAttributes(f *testing.F) {
	m := full()
	f.Add(appendAttributes(nil, &m))
	f.Add([]byte{2})
	f.Add([]byte{1, 's', 0x80})
	f.Fuzz(func(t *testing.T, row []byte) {
		var first, second leat.Message
		if readAttributes(string(row), &first) != nil {
			return
		}
		if err := readAttributes(string(appendAttributes(nil, &first)), &second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}

func TestIDsKeepTheirGaps(t *testing.T) {
	t.Parallel()
	for text, list := range map[string][]int64{
		"":              nil,
		"1":             {1},
		"1-3":           {1, 2, 3},
		"1-2,4,6-7":     {1, 2, 4, 6, 7},
		"9-10,12,14-15": {9, 10, 12, 14, 15},
	} {
		var s ids
		for _, id := range list {
			s = s.add(id)
		}
		if got := s.String(); got != text || s.count() != int64(len(list)) {
			t.Errorf("%v is %q with %d ids", list, got, s.count())
		}
		if back, err := parseIDs(text); err != nil || !slices.Equal(back, s) {
			t.Errorf("%q comes back as %v, %v", text, back, err)
		}
	}
}

func FuzzIDs(f *testing.F) {
	for _, s := range []string{"", "1", "1-3,5", "3-1", "2,2", "-1", "1-", "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseIDs(text)
		if err != nil {
			return
		}
		last := int64(0)
		for _, r := range s {
			if r.from <= last || r.to < r.from {
				t.Fatalf("%q gives %v", text, s)
			}
			last = r.to
		}
		if again, err := parseIDs(s.String()); err != nil || again.String() != s.String() {
			t.Fatalf("%q gives %q, which gives %q, %v", text, s, again, err)
		}
	})
}

func TestThePositionIsWrittenAsEver(t *testing.T) {
	t.Parallel()
	p := &position{
		Number: 7, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Database: database{Outbox: "o", System: "1", Timeline: "00000001"},
		Token: "t", departure: departure{Rows: ids{{1, 40}, {43, 43}}, Digest: "d", Parked: []parked{{ID: 3, Reason: "too large"}}},
	}
	value, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "position.v1.json", string(value))
	back, err := readPosition(value)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, back, cmp.AllowUnexported(span{}, position{})); diff != "" {
		t.Error(diff)
	}
	p.Earlier = []departure{{Rows: ids{{41, 42}}, Digest: "e"}}
	if value, err = p.encode(); err != nil {
		t.Fatal(err)
	}
	golden(t, "position.v2.json", string(value))
	if back, err = readPosition(value); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, back, cmp.AllowUnexported(span{}, position{})); diff != "" {
		t.Error(diff)
	}
	if _, err := readPosition([]byte(`{"v":3}`)); err == nil {
		t.Error("a position of a later version is read")
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"v":1,"rows":"1-3","parked":[{"id":1,"reason":"x"}]}`))
	f.Add([]byte(`{"v":1,"rows":"3-1"}`))
	f.Add([]byte(`{"v":2,"rows":"3","earlier":[{"rows":"1-2","digest":"d"}]}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := readPosition(value)
		if err != nil {
			return
		}
		if _, err := p.encode(); err != nil && p.At.Year() < 10000 && p.At.Year() >= 0 {
			t.Fatal(err)
		}
	})
}

func TestADatabaseThatIsNotTheOneIsTold(t *testing.T) {
	t.Parallel()
	p := &position{Database: database{Outbox: "o", System: "1", Timeline: "1"}, Token: "t"}
	for name, c := range map[string]struct {
		db            database
		token, before string
		odd           string
	}{
		"same":              {p.Database, "t", "", ""},
		"crash in between":  {p.Database, "new", "t", ""},
		"another system":    {database{Outbox: "o", System: "2", Timeline: "1"}, "t", "", "system identifier"},
		"promoted":          {database{Outbox: "o", System: "1", Timeline: "2"}, "t", "", "timeline"},
		"restored snapshot": {p.Database, "old", "older", "backup"},
	} {
		if odd := p.strange(c.db, c.token, c.before); (odd == "") != (c.odd == "") || !strings.Contains(odd, c.odd) {
			t.Errorf("%s: %q", name, odd)
		}
	}
}

// model is a table with writers whose ids are drawn under a lock that they hold to their end.
type model struct {
	r       *rand.Rand
	last    int64
	open    map[string][]int64 // holder -> ids it has drawn
	visible map[int64]bool
	names   int
}

func (m *model) step() {
	switch {
	case m.r.IntN(3) > 0:
		m.names++
		m.open[string(rune('A'+m.names%26))+leat.NewID()] = nil // takes the lock, draws nothing yet
	default:
	}
	for h := range m.open {
		switch m.r.IntN(4) {
		case 0:
			m.last++
			m.open[h] = append(m.open[h], m.last)
		case 1:
			for _, id := range m.open[h] {
				m.visible[id] = true
			}
			delete(m.open, h)
		}
	}
}

// Whatever the writers do, and whatever happens between the two questions of a poll, no row can come
// at or below the mark that is not there.
func TestTheMarkIsNeverAboveARowThatMayCome(t *testing.T) {
	t.Parallel()
	advanced := 0
	for seed := range uint64(300) {
		m := &model{r: rand.New(rand.NewPCG(seed, 7)), open: map[string][]int64{}, visible: map[int64]bool{}}
		var k marker
		for range 40 {
			for range m.r.IntN(4) {
				m.step()
			}
			last := m.last
			for range m.r.IntN(3) {
				m.step() // between the two questions
			}
			var holders []string
			for h := range m.open {
				holders = append(holders, h)
			}
			before := k.mark
			mark := k.poll(last, holders)
			for h, drawn := range m.open {
				for _, id := range drawn {
					if id <= mark {
						t.Fatalf("seed %d: mark %d, and %s may still commit %d", seed, mark, h, id)
					}
				}
			}
			if mark > before {
				advanced++
			}
		}
	}
	if advanced < 1000 {
		t.Errorf("the mark advanced %d times only", advanced)
	}
}

func TestTheMarkStartsAnewWhenTheSequenceGoesBack(t *testing.T) {
	t.Parallel()
	var k marker
	k.poll(100, nil)
	if got := k.poll(50, []string{"3/1"}); got != 0 {
		t.Errorf("mark %d after the sequence went from 100 to 50 with an open writer", got)
	}
	if got := k.poll(60, nil); got != 60 {
		t.Errorf("mark %d, want 60", got)
	}
}

func TestAPreparedTransactionKeepsTheMarkDown(t *testing.T) {
	t.Parallel()
	var k marker
	k.poll(10, nil)
	k.poll(20, []string{"3/1"}) // it may draw 11 to 20
	k.poll(20, []string{"3/1"})
	if got := k.poll(30, []string{"-1/777"}); got != 10 { // renamed by PREPARE TRANSACTION
		t.Errorf("mark %d, want 10", got)
	}
}

// The next read starts at the mark that was known before the last one, never above the last id read,
// and at the head where something was passed over.
func TestWhereTheNextReadStarts(t *testing.T) {
	t.Parallel()
	read := func(full bool, list ...int64) *batch {
		b := &batch{full: full}
		for _, id := range list {
			b.rows = append(b.rows, row{id: id})
		}
		return b
	}
	r := &reader{fenced: true, sweepAt: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		mark int64
		b    *batch
		want int64
	}{
		{5, read(true, 3, 8), 5},     // an open writer may still bring 6
		{100, read(true, 9, 20), 20}, // not all up to the mark was read
		{100, read(false, 30), 30},   // never above the last row that was seen
		{25, read(false), 25},        // nothing new
		{40, read(false), 30},
	} {
		r.mark = c.mark
		r.advance(c.b, time.Now())
		if r.floor != c.want {
			t.Errorf("mark %d, read %v: starts at %d, want %d", c.mark, c.b.rows, r.floor, c.want)
		}
	}
	if r.rewind(); r.floor != 0 {
		t.Errorf("starts at %d after a rewind", r.floor)
	}
}

func TestWhatIsLearnedFromARefusal(t *testing.T) {
	t.Parallel()
	now := time.Now()
	large := &kafka.Error{Op: "produce to", Topic: "a", Partition: -1, Err: kafka.ErrTooLarge}
	missing := &kafka.Error{Op: "produce to", Topic: "a", Partition: -1, Err: kafka.ErrNoTopic}
	b := &batch{rows: make([]row, 8), events: slices.Repeat([]leat.Message{{Topic: "a"}}, 8)}
	h := newHurdle()
	if h.refused(b, "svc", errors.New("broker is away"), now) || h.narrow != 0 {
		t.Error("something was learned from a broker that is away")
	}
	if !h.refused(b, "svc", large, now) || h.narrow != 4 {
		t.Errorf("the next batch has %d rows, want 4", h.narrow)
	}
	one := &batch{rows: []row{{id: 7}}, events: []leat.Message{{Topic: "a"}}}
	if !h.refused(one, "svc", large, now) || h.verdict(&one.rows[0], &one.events[0], now, -1) == "" {
		t.Error("a row that was refused alone is tried again")
	}
	h.passed(one, nil)
	if h.verdict(&one.rows[0], &one.events[0], now, -1) != "" || h.narrow != 8 {
		t.Errorf("a parked row is not forgotten, or the batches do not grow: %d", h.narrow)
	}
	if !h.refused(b, "svc", missing, now) || !h.held(now, time.Minute)["a"] || h.trouble() == "" {
		t.Error("a missing topic is not held")
	}
	if h.held(now.Add(retryBlocked), time.Minute)["a"] {
		t.Error("a missing topic is not tried again")
	}
	letters := &kafka.Error{Op: "produce to", Topic: "a.svc.dlq", Partition: -1, Err: kafka.ErrNotAllowed}
	if !h.refused(one, "svc", letters, now) || !h.mute["a.svc.dlq"] || h.topics["a.svc.dlq"] != nil {
		t.Error("a topic that refuses letters gets them again and again")
	}
	elsewhere := &kafka.Error{Op: "produce to", Topic: "position", Partition: -1, Err: kafka.ErrNotAllowed}
	if h.refused(one, "svc", elsewhere, now) {
		t.Error("something was learned of a topic that no event goes to")
	}
	other := &row{id: 8}
	if to := (&leat.Message{Topic: "a"}); h.verdict(other, to, now, time.Minute) != "" || h.verdict(other, to, now.Add(time.Second), time.Second) == "" {
		t.Error("patience does not end when it should")
	}
	h.passed(b, []leat.Message{{Topic: "a"}})
	if len(h.held(now, time.Minute)) > 0 || h.trouble() != "" {
		t.Error("a topic that took an event is still held")
	}
}
