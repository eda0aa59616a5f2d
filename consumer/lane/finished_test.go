package lane

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// walkFinished takes records with gaps, finishes some, and compares what a reader of the metadata is
// told with what the tracker knows. It returns the metadata's length.
func walkFinished(t *testing.T, r *rand.Rand, low int64, records int, share float64, gaps int64) int {
	t.Helper()
	tracker := NewTracker(Mark{Offset: low})
	done := map[int64]bool{}
	var offsets []int64
	for o, i := low, 0; i < records; i++ {
		seq, _ := tracker.Add(o, 0)
		if offsets = append(offsets, o); r.Float64() < share {
			tracker.Done(seq)
			done[o] = true
		}
		o += 1 + r.Int64N(gaps+1)
	}
	meta, at := tracker.Finished(), tracker.Low().Offset
	if meta == "" {
		for _, o := range offsets {
			if o >= at && done[o] {
				t.Fatalf("offset %d is finished, and the metadata says nothing", o)
			}
		}
		return 0
	}
	f, ok := ParseFinished(meta, at)
	if !ok || f.Empty() {
		t.Fatalf("metadata %q does not read back", meta)
	}
	for _, o := range offsets {
		if o >= at && f.Has(o) != done[o] {
			t.Fatalf("offset %d above %d: finished %v, want %v", o, at, f.Has(o), done[o])
		}
	}
	if f.Has(at-1) || f.Has(tracker.Next()) {
		t.Fatal("more is finished than there is")
	}
	if _, ok := ParseFinished(meta, at+1); ok {
		t.Fatal("the metadata speaks for another low water")
	}
	return len(meta)
}

func TestFinishedTellsExactlyWhatIsFinishedAboveTheLowWater(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			walkFinished(t, r, r.Int64N(1<<40), 1+r.IntN(500), r.Float64(), []int64{0, 1, 3, 1000}[r.IntN(4)])
		})
	}
}

// A broker takes 4096 bytes of metadata: a window of 20,000 offsets fits, whatever is finished in it.
func TestFinishedOfAWindowFitsIntoACommit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 4))
		if n := walkFinished(t, r, 1<<45, 20_000, r.Float64(), 0); n > 4096 {
			t.Fatalf("seed %d: %d bytes", seed, n)
		}
	}
}

func TestFinishedOfAFinishedWindowIsNothing(t *testing.T) {
	t.Parallel()
	tracker := NewTracker(Mark{Offset: 7})
	for o := range int64(5) {
		seq, _ := tracker.Add(7+o, 0)
		tracker.Done(seq)
	}
	if meta := tracker.Finished(); meta != "" {
		t.Errorf("metadata %q", meta)
	}
	if _, ok := ParseFinished("another tool's", 12); ok {
		t.Error("foreign metadata was taken")
	}
}

func FuzzParseFinished(f *testing.F) {
	tracker := NewTracker(Mark{Offset: 3})
	for o := range int64(9) {
		if seq, _ := tracker.Add(3+o, 0); o%3 == 1 {
			tracker.Done(seq)
		}
	}
	f.Add(tracker.Finished(), int64(3))
	f.Add(finishedMagic+"ImIA", int64(0))
	f.Fuzz(func(t *testing.T, meta string, low int64) {
		found, ok := ParseFinished(meta, low)
		if !ok && !found.Empty() {
			t.Fatal("refused metadata says something")
		}
		if found.Has(low - 1) {
			t.Fatal("finished below the low water")
		}
	})
}
