package sim_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leatdev/leat/leattest/stack"
)

var (
	seedsFlag = flag.Int("sim.seeds", 0, "how many seeds to run; 0: 1000, with -short 6")
	fromFlag  = flag.Int("sim.from", 1, "the first seed")
)

func TestSimulation(t *testing.T) {
	seeds := *seedsFlag
	if seeds == 0 {
		seeds = 1000
		if testing.Short() {
			seeds = 6
		}
	}
	cover := &coverage{n: map[string]int{}}
	var next atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("worker-", worker), func(t *testing.T) {
				t.Parallel()
				for {
					i := int(next.Add(1)) - 1
					if i >= seeds || t.Failed() {
						return
					}
					seed := *fromFlag + i
					t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { simulate(t, seed, cover) })
				}
			})
		}
	})
	if seeds >= 30 && !t.Failed() {
		cover.check(t, seeds)
	}
}

// simulate runs one seed. Odd ones use Kafka transactions, even ones the embedded way; of both, every
// other one parks.
func simulate(t *testing.T, seed int, cover *coverage) {
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	w := &world{park: seed%4 < 2, fates: map[string]*fate{}, seen: map[string][]int{}}
	h := &hooks{rng: rand.New(rand.NewPCG(uint64(seed), 1)), cover: cover}
	r := &run{world: w, rng: rng, embedded: seed%2 == 0, cover: cover, hooks: h}
	log := logCounter{cover: cover}
	if testing.Verbose() && *seedsFlag == 1 {
		log.Handler = slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})
	}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d; run it again: go test -tags synctests ./test/sim -run TestSimulation -sim.from=%d -sim.seeds=1 -count=200 -failfast\n%s", seed, seed, strings.Join(r.trace, "\n"))
		}
	}()
	stack.Run(t, stack.Config{Services: w.services(), Embedded: r.embedded, Brokers: brokers, Crash: h.crash, Logger: slog.New(log)}, func(t *testing.T, s *stack.Stack) {
		r.t, r.s = t, s
		r.client = s.Broker().Client(t)
		r.schedule()
		r.check()
	})
}
