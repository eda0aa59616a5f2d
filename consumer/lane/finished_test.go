package lane

import (
	"encoding/base64"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sparse is a tracker with gaps in its offsets, some of whose records are finished, and what is.
func sparse(r *rand.Rand, records, gap int, done float64) (*Tracker, map[int64]bool) {
	t := NewTracker(Mark{Offset: r.Int64N(1 << 40), Epoch: 1})
	offset, finished := t.Next(), map[int64]bool{}
	for i := range records {
		offset += int64(r.IntN(gap + 1))
		seq, _ := t.Add(offset, int32(i*7/records))
		finished[offset] = i > 0 && r.Float64() < done
		if finished[offset] {
			t.Done(seq)
		}
		offset++
	}
	return t, finished
}

func TestAMapKnowsWhatIsFinishedAndNothingElse(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		tracker, finished := sparse(r, 1+r.IntN(2000), r.IntN(4), r.Float64())
		text := tracker.Snapshot().Text(MapLimit)
		if len(text) > MapLimit || len(text) > tracker.FinishedNeeds() {
			t.Fatalf("seed %d: %d bytes, limit %d, bound %d", seed, len(text), MapLimit, tracker.FinishedNeeds())
		}
		if text == "" {
			for offset, done := range finished {
				if done {
					t.Fatalf("seed %d: no map, but %d is finished", seed, offset)
				}
			}
			continue
		}
		f, ok := ParseFinished(text, tracker.Low().Offset)
		if !ok || f.Empty() {
			t.Fatalf("seed %d: %q does not read back", seed, text)
		}
		for offset, done := range finished {
			if f.Has(offset, 0) != done {
				t.Fatalf("seed %d: has %d: %v, want %v", seed, offset, !done, done)
			}
			if f.Has(offset, 7) {
				t.Fatalf("seed %d: has the record of a later epoch at %d", seed, offset)
			}
		}
		if again := f.Text(MapLimit); again != text {
			t.Fatalf("seed %d: %q, read and written again %q", seed, text, again)
		}
	}
}

// What does not fit is left out: it comes again, and nothing is called finished that is not.
func TestAMapWithoutRoomLeavesOutFromTheTop(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		tracker, finished := sparse(r, 1+r.IntN(3000), r.IntN(3), r.Float64())
		limit := r.IntN(120)
		text := tracker.Snapshot().Text(limit)
		if len(text) > limit {
			t.Fatalf("seed %d: %d bytes, limit %d", seed, len(text), limit)
		}
		f, _ := ParseFinished(text, tracker.Low().Offset)
		for offset, done := range finished {
			if f.Has(offset, 0) && !done || offset < f.End() && f.Has(offset, 0) != done {
				t.Fatalf("seed %d: has %d: %v", seed, offset, f.Has(offset, 0))
			}
		}
	}
}

// An heir that goes again before it has read all that the map spoke of passes on what it was told.
func TestAMapIsPassedOn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 6))
		first, finished := sparse(r, 2+r.IntN(500), 2, r.Float64())
		told, _ := ParseFinished(first.Finished(), first.Low().Offset)
		heir := NewTracker(first.Low())
		read := first.Low().Offset + r.Int64N(first.Next()-first.Low().Offset)
		for offset := first.Low().Offset; offset <= read; offset++ {
			if _, exists := finished[offset]; exists {
				if seq, _ := heir.Add(offset, 0); told.Has(offset, 0) {
					heir.Done(seq)
				}
			}
		}
		passed, _ := ParseFinished(heir.Snapshot().Join(told, heir.Next()).Text(MapLimit), heir.Low().Offset)
		for offset, done := range finished {
			if offset >= heir.Low().Offset && passed.Has(offset, 0) != done {
				t.Fatalf("seed %d: read to %d, passed on %d: %v, want %v", seed, read, offset, !done, done)
			}
		}
	}
}

// A run that spans a huge gap in the offsets takes no memory for it.
func TestAHugeGapTakesNoRoom(t *testing.T) {
	t.Parallel()
	tracker := NewTracker(Mark{})
	for i, offset := range []int64{0, 5, 1 << 50, 1<<50 + 2} {
		if seq, _ := tracker.Add(offset, 0); i == 1 || i == 2 {
			tracker.Done(seq)
		}
	}
	if text := tracker.Finished(); len(text) > 60 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestTenThousandRecordsAlwaysFit(t *testing.T) {
	t.Parallel()
	tracker, finished := sparse(rand.New(rand.NewPCG(1, 5)), 10_000, 0, 0.5)
	text := tracker.Snapshot().Text(MapLimit)
	f, ok := ParseFinished(text, tracker.Low().Offset)
	if !ok || text != tracker.Finished() {
		t.Fatalf("%q does not read back", text)
	}
	for offset, done := range finished {
		if f.Has(offset, 0) != done {
			t.Fatalf("has %d: %v", offset, !done)
		}
	}
	if len(text) > MapLimit/2 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestSomebodyElsesMetadataIsNoMap(t *testing.T) {
	t.Parallel()
	tracker, _ := sparse(rand.New(rand.NewPCG(9, 9)), 100, 1, 0.5)
	base := tracker.Low().Offset
	good := tracker.Snapshot().Text(MapLimit)
	raw, _ := base64.RawStdEncoding.DecodeString(good)
	damage := func(at int, b byte) string {
		bad := append([]byte(nil), raw...)
		bad[at] = b
		return base64.RawStdEncoding.EncodeToString(bad)
	}
	encoded := func(b ...byte) string { return base64.RawStdEncoding.EncodeToString(b) }
	for name, text := range map[string]string{
		"none": "", "a member's id": "leat-0191d3a0-0000-7000-8000-000000000000", "Kafka Streams'": "AgAAAY0=",
		"magic": damage(0, 'L'), "version": damage(2, 2), "codec": damage(3, 9), "cut": good[:5],
		"overflow": encoded('l', 't', 1, codecRuns, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"no run":   encoded('l', 't', 1, codecRuns, 0, 0, 1, 0), "no gap": encoded('l', 't', 1, codecRuns, 0, 0, 3, 1, 0, 1),
	} {
		at := base
		if strings.HasPrefix(name, "no ") || name == "overflow" {
			at = 0
		}
		if f, ok := ParseFinished(text, at); ok || !f.Empty() {
			t.Errorf("%s: %v", name, f)
		}
	}
	for _, other := range []int64{base - 1, base + 1, -1, math.MaxInt64} {
		if f, ok := ParseFinished(good, other); ok || !f.Empty() {
			t.Errorf("of offset %d: %v", other, f)
		}
	}
}

// The form leaves the process: it must not change.
func TestFinishedGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, c := range []struct {
		name string
		done func(i int) bool
	}{
		{"one", func(i int) bool { return i == 3 }},
		{"all but the first", func(i int) bool { return i > 0 }},
		{"every second", func(i int) bool { return i%2 == 1 }},
		{"blocks of ten", func(i int) bool { return i/10%2 == 1 }},
	} {
		tracker := NewTracker(Mark{Offset: 1000, Epoch: 4})
		for i := range 200 {
			if seq, _ := tracker.Add(int64(1000+i), 5); c.done(i) {
				tracker.Done(seq)
			}
		}
		fmt.Fprintf(&b, "%s: %s\n", c.name, tracker.Snapshot().Text(MapLimit))
	}
	const file = "testdata/finished.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func FuzzParseFinished(f *testing.F) {
	tracker, _ := sparse(rand.New(rand.NewPCG(3, 3)), 300, 2, 0.5)
	f.Add(tracker.Snapshot().Text(MapLimit), tracker.Low().Offset)
	f.Add(base64.RawStdEncoding.EncodeToString([]byte{'l', 't', 1, codecRuns, 10, 0, 3, 4}), int64(10))
	f.Fuzz(func(t *testing.T, text string, base int64) {
		if len(text) > 2*MapLimit {
			return
		}
		m, ok := ParseFinished(text, base)
		if !ok {
			if !m.Empty() {
				t.Fatal("a map that is none")
			}
			return
		}
		at := base
		for _, r := range m.runs {
			if r.from < at || r.to <= r.from {
				t.Fatalf("runs %v below %d", m.runs, at)
			}
			at = r.to
		}
		for i := range min(m.Len(base), 100) {
			if m.Has(base-1-i, -1) {
				t.Fatal("has what lies below its base")
			}
		}
	})
}

func BenchmarkFinished(b *testing.B) {
	tracker, _ := sparse(rand.New(rand.NewPCG(1, 5)), 10_000, 0, 0.5)
	b.ReportAllocs()
	for b.Loop() {
		tracker.Snapshot().Text(MapLimit)
	}
}
