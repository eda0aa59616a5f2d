package lane

import (
	"math/rand/v2"
	"testing"
)

// naive is a tracker that remembers everything.
type naive struct {
	offsets []int64
	done    map[int64]bool
	low     int64
}

func (n *naive) add(offset int64) bool {
	if len(n.offsets) > 0 && offset <= n.offsets[len(n.offsets)-1] || offset < n.low {
		return false
	}
	n.offsets = append(n.offsets, offset)
	return true
}

// lowWater is the lowest unfinished offset, or the one behind the last.
func (n *naive) lowWater() int64 {
	for _, o := range n.offsets {
		if !n.done[o] {
			return o
		}
	}
	if len(n.offsets) == 0 {
		return n.low
	}
	return n.offsets[len(n.offsets)-1] + 1
}

func (n *naive) span() int {
	for i, o := range n.offsets {
		if !n.done[o] {
			return len(n.offsets) - i
		}
	}
	return 0
}

// walk drives tracker and model by data: each byte is a step.
func walkTracker(t *testing.T, start int64, data []byte) {
	tracker := NewTracker(Mark{Offset: start, Epoch: 3})
	model := &naive{done: map[int64]bool{}, low: start}
	type rec struct {
		seq    uint64
		offset int64
	}
	var open []rec
	next := start
	for _, b := range data {
		before := tracker.Low()
		switch {
		case b < 140: // a record, with gaps and repeats
			offset := next + int64(b%8) - 2
			if offset < 0 {
				continue
			}
			seq, fresh := tracker.Add(offset, int32(b%3))
			if want := model.add(offset); fresh != want {
				t.Fatalf("Add(%d) is fresh: %v, want %v", offset, fresh, want)
			}
			if fresh {
				open = append(open, rec{seq, offset})
				next = offset + 1
			}
		case b < 160:
			if tracker.Pass(next, 7) != model.add(next) {
				t.Fatalf("Pass(%d)", next)
			}
			model.done[next] = true
			next++
		case len(open) > 0:
			i := int(b) % len(open)
			tracker.Done(open[i].seq)
			model.done[open[i].offset] = true
			open = append(open[:i], open[i+1:]...)
		}
		low := tracker.Low()
		if low.Offset != model.lowWater() || tracker.Span() != model.span() || tracker.Open() != len(open) {
			t.Fatalf("low %d, span %d, open %d; want %d, %d, %d", low.Offset, tracker.Span(), tracker.Open(), model.lowWater(), model.span(), len(open))
		}
		if low.Offset < before.Offset {
			t.Fatalf("low water went back from %d to %d", before.Offset, low.Offset)
		}
	}
}

func TestTrackerDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		walkTracker(t, int64(r.IntN(100)), data)
	}
}

func FuzzTracker(f *testing.F) {
	f.Add(int64(0), []byte{1, 2, 3, 200, 150, 201})
	f.Fuzz(func(t *testing.T, start int64, data []byte) {
		if start < 0 || start > 1<<60 {
			return
		}
		walkTracker(t, start, data)
	})
}

func TestTrackerTellsTheEpochOfTheRecordBelowTheLowWater(t *testing.T) {
	t.Parallel()
	tracker := NewTracker(Mark{Offset: 10, Epoch: 1})
	a, _ := tracker.Add(10, 1)
	b, _ := tracker.Add(12, 2)
	tracker.Done(b)
	if got, want := tracker.Low(), (Mark{10, 1}); got != want {
		t.Errorf("low %v, want %v", got, want)
	}
	tracker.Done(a)
	if got, want := tracker.Low(), (Mark{13, 2}); got != want {
		t.Errorf("low %v, want %v", got, want)
	}
}

func TestTrackerWithoutAStartTakesAnyFirstOffset(t *testing.T) {
	t.Parallel()
	var tracker Tracker
	if tracker.Begun() {
		t.Error("begun")
	}
	seq, fresh := tracker.Add(500, 0)
	if !fresh || tracker.Low() != (Mark{500, -1}) {
		t.Errorf("fresh %v, low %v", fresh, tracker.Low())
	}
	tracker.Done(seq)
	if _, fresh := tracker.Add(499, 0); fresh {
		t.Error("a repeat is fresh")
	}
}

func TestTrackerPanicsWhenARecordIsDoneTwice(t *testing.T) {
	t.Parallel()
	tracker := NewTracker(Mark{})
	tracker.Add(0, 0)
	seq, _ := tracker.Add(1, 0)
	tracker.Done(seq)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	tracker.Done(seq)
}

func BenchmarkTracker(b *testing.B) {
	var tracker Tracker
	b.ReportAllocs()
	var offset int64
	for b.Loop() {
		seq, _ := tracker.Add(offset, 0)
		tracker.Done(seq)
		offset++
	}
}
