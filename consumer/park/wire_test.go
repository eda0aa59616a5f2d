package park

import (
	"errors"
	"testing"

	"github.com/leatdev/leat"
)

var golden = []struct {
	record Record
	header string
}{
	{Record{Kind: Mark, Epoch: 7}, "1 mark epoch=7"},
	{
		Record{Kind: Park, Epoch: 7, Key: KeyOf([]byte("order-1"), 120), Offset: 120, Past: Past{Attempts: 3, First: 1732207521000, Last: 1732207523500}},
		"1 park epoch=7 offset=120 attempts=3 first=1732207521000 last=1732207523500",
	},
	{Record{Kind: Park, Epoch: 7, Key: KeyOf(nil, 0), Offset: 0}, "1 park epoch=7 offset=0"},
	{
		Record{Kind: Park, Epoch: 8, Key: KeyOf([]byte{}, 9), Offset: 9, Round: 2, Behind: true},
		"1 park epoch=8 offset=9 round=2 behind=1",
	},
	{
		Record{Kind: Dead, Epoch: 7, Key: KeyOf([]byte("k"), 5), Offset: 5, Holds: true, Past: Past{Attempts: 1, First: 5, Last: 5}, Reason: "permanent"},
		"1 dead epoch=7 offset=5 holds=1 attempts=1 first=5 last=5 reason=permanent",
	},
	{
		Record{Kind: Dead, Epoch: 7, Key: KeyOf([]byte("k"), 6), Offset: 6, Hold: 33, Reason: Blocked},
		"1 dead epoch=7 offset=6 hold=33 reason=blocked",
	},
	{Record{Kind: Fin, Epoch: 7, Key: KeyOf([]byte("k"), 6), Offset: 6, Round: 1}, "1 fin epoch=7 offset=6 round=1"},
	{Record{Kind: Redrive, Key: KeyOf([]byte("k"), 6), Offset: 6, Round: 1}, "1 redrive offset=6 round=1"},
	{Record{Kind: Stage, Key: KeyOf([]byte("k"), 6), Offset: 6, Round: 1, Hold: 33}, "1 stage offset=6 round=1 hold=33"},
	{Record{Kind: Release, Key: KeyOf([]byte("k"), 0), Hold: 33, Count: 2}, "1 release hold=33 count=2"},
	{Record{Kind: MoveBegin, Epoch: 7, Key: KeyOf(nil, 12), Offset: 12}, "1 move-begin epoch=7 offset=12"},
	{Record{Kind: MoveEnd, Epoch: 7, Key: KeyOf([]byte("k"), 0)}, "1 move-end epoch=7"},
}

func TestRecordIsTheGoldenWireForm(t *testing.T) {
	t.Parallel()
	for _, g := range golden {
		h := g.record.Header()
		if h.Key != "leat-park" || string(h.Value) != g.header {
			t.Errorf("header %s %q, want %q", h.Key, h.Value, g.header)
		}
		got, err := Parse(g.record.Key.Bytes(), []leat.Header{{Key: "leat-park", Value: []byte("of the event")}, h})
		if err != nil || got != g.record {
			t.Errorf("%s: parsed as %+v, %v", g.header, got, err)
		}
	}
}

func TestWhatIsNotOursIsNeverRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		headers []string // name, value, ...
		want    error
	}{
		{nil, ErrForeign},
		{[]string{"ce_id", "1"}, ErrForeign},
		{[]string{"leat-park", "1 mark epoch=7", "more", "x"}, ErrForeign}, // copied and added to
		{[]string{"leat-park", ""}, ErrMalformed},
		{[]string{"leat-park", "2 mark epoch=7"}, ErrMalformed},
		{[]string{"leat-park", "1 forget epoch=7"}, ErrMalformed},
		{[]string{"leat-park", "1 mark"}, ErrMalformed},
		{[]string{"leat-park", "1 mark epoch=0"}, ErrMalformed},
		{[]string{"leat-park", "1 mark epoch=07"}, ErrMalformed},
		{[]string{"leat-park", "1 mark epoch=-1"}, ErrMalformed},
		{[]string{"leat-park", "1 mark epoch=7 "}, ErrMalformed},
		{[]string{"leat-park", "1 mark epoch=7 color=1"}, ErrMalformed},
		{[]string{"leat-park", "1 mark epoch=99999999999999999999"}, ErrMalformed},
		{[]string{"leat-park", "1 redrive epoch=3 offset=1 round=1"}, ErrMalformed}, // the tool has no epoch
		{[]string{"leat-park", "1 redrive offset=1"}, ErrMalformed},
		{[]string{"leat-park", "1 release count=1"}, ErrMalformed},
		{[]string{"leat-park", "1 fin epoch=1 offset=1 round=4294967296"}, ErrMalformed},
		{[]string{"leat-park", "1 dead epoch=1 offset=1 hold=3 holds=1 reason=x"}, ErrMalformed},
	} {
		var headers []leat.Header
		for i := 0; i < len(c.headers); i += 2 {
			headers = append(headers, leat.Header{Key: c.headers[i], Value: []byte(c.headers[i+1])})
		}
		if r, err := Parse([]byte("k"), headers); !errors.Is(err, c.want) {
			t.Errorf("%q: %+v, %v, want %v", c.headers, r, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(g.record.Key.Bytes(), g.header)
	}
	f.Fuzz(func(t *testing.T, key []byte, header string) {
		r, err := Parse(key, []leat.Header{{Key: HeaderPark, Value: []byte(header)}})
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if got := string(r.Header().Value); got != header {
			t.Fatalf("%q comes back as %q", header, got)
		}
	})
}

func TestMetaIsTheGoldenWireForm(t *testing.T) {
	t.Parallel()
	m := Meta{Claimed: 12, AtLow: 9}
	if got := m.String(); got != "leat-park/1 12 9" {
		t.Errorf("metadata %q", got)
	}
	for s, want := range map[string]error{
		"leat-park/1 12 9": nil, "leat-park/1 0 0": nil,
		"": ErrForeign, "consumer-7-uuid": ErrForeign, "AQAAAX": ErrForeign,
		"leat-park/2 12 9": ErrMalformed, "leat-park/1 9 12": ErrMalformed, "leat-park/1 012 9": ErrMalformed,
		"leat-park/1 12 9 ": ErrMalformed, "leat-park/1 12": ErrMalformed, "leat-park/1 -1 -2": ErrMalformed,
	} {
		if m, err := ParseMeta(s); !errors.Is(err, want) {
			t.Errorf("%q: %v, %v, want %v", s, m, err, want)
		}
	}
}

func FuzzMeta(f *testing.F) {
	f.Add("leat-park/1 12 9")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := ParseMeta(s); err == nil && m.String() != s {
			t.Fatalf("%q comes back as %q", s, m)
		}
	})
}
