package outbox

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever block a round begins at, and while the table grows and shrinks, each block that stays has its turn.
func TestARoundComesByEveryBlock(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		size := 1 + random.Int64N(500)
		r, seen, walked := newRound(random.Int64()), map[int64]bool{}, int64(0)
		for smallest := size; walked < 2*size; {
			blocks := max(1, size-random.Int64N(3))
			smallest = min(smallest, blocks)
			from, to := r.next(blocks, 1+random.Int64N(70))
			if from < 0 || to <= from || to > blocks {
				t.Fatalf("seed %d: blocks %d to %d of %d", seed, from, to, blocks)
			}
			for walked += to - from; from < to; from++ {
				seen[from] = true
			}
			if walked >= 2*size {
				for b := range smallest {
					if !seen[b] {
						t.Fatalf("seed %d: block %d of %d was not reached", seed, b, smallest)
					}
				}
			}
		}
	}
}

func TestTheShareOfASweep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blocks int64
		keep   time.Duration
		want   int64
	}{
		"an empty table":                  {0, time.Hour, 0},
		"a small table, whole":            {2000, 7 * 24 * time.Hour, 2000},
		"a larger one, in several calls":  {5000, 7 * 24 * time.Hour, 2048},
		"600 million rows, in 16.8 hours": {3_900_000, 7 * 24 * time.Hour, 3870},
		"what is kept for an hour":        {600_000, time.Hour, 100_000},
		"what is kept for minutes":        {600_000, time.Minute, 600_000},
	} {
		if got := shareOf(c.blocks, c.keep); got != c.want {
			t.Errorf("%s: %d blocks, want %d", name, got, c.want)
		}
	}
}
