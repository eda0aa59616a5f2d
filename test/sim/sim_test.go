package sim_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/stack"
	"github.com/leatdev/leat/service"
)

var (
	seedsFlag = flag.Int("sim.seeds", 0, "how many seeds to run; 0: LEAT_TEST_SEEDS, else 4000, with -short 8")
	fromFlag  = flag.Int("sim.from", 1, "the first seed")
)

func TestMain(m *testing.M) {
	// A seed lives for less than a second and leaves megabytes: collecting them less often, and files that
	// no disk has to take, halve what it costs. No loss of power is played here.
	debug.SetGCPercent(400)
	if _, err := os.Stat("/dev/shm"); err == nil && os.Getenv("TMPDIR") == "" {
		_ = os.Setenv("TMPDIR", "/dev/shm")
	}
	os.Exit(m.Run())
}

func TestSimulation(t *testing.T) {
	seeds := *seedsFlag
	if said := os.Getenv("LEAT_TEST_SEEDS"); said != "" && seeds == 0 {
		var err error
		if seeds, err = strconv.Atoi(said); err != nil {
			t.Fatalf("LEAT_TEST_SEEDS: %v", err)
		}
	}
	if seeds == 0 {
		seeds = 4000
		if testing.Short() {
			seeds = 8
		}
	}
	cover := &coverage{n: map[string]int{}}
	var next atomic.Int64
	var failed atomic.Bool
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("worker-", worker), func(t *testing.T) {
				t.Parallel()
				for {
					i := int(next.Add(1)) - 1
					if i >= seeds || failed.Load() {
						return
					}
					seed := *fromFlag + i
					if !t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { simulate(t, seed, cover) }) {
						failed.Store(true)
					}
				}
			})
		}
	})
	if !t.Failed() {
		cover.tell(t)
		if seeds >= 1000 {
			cover.check(t, seeds)
		}
	}
}

// large is the size from which data lies in a store, where there is one.
const large = 200

// simulate runs one seed.
func simulate(t *testing.T, seed int, cover *coverage) {
	w := &world{play: draw(seed), fates: map[string]*fate{}, seen: map[string][]int{}}
	h := &hooks{rng: rand.New(rand.NewPCG(uint64(seed), 1)), cover: cover}
	r := &run{world: w, rng: rand.New(rand.NewPCG(uint64(seed), 0)), cover: cover, hooks: h, doubled: map[string]int{}}
	log := logCounter{cover: cover}
	if testing.Verbose() && *seedsFlag == 1 {
		log.Handler = slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})
	}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d plays %+v; run it again: go test -tags synctests ./test/sim -run TestSimulation -sim.from=%d -sim.seeds=1 -count=200 -failfast\n%s", seed, w.play, seed, strings.Join(r.trace, "\n"))
		}
	}()
	cfg := stack.Config{Services: w.services(), Embedded: r.embedded, Brokers: brokers, Crash: h.crash, Logger: slog.New(log)}
	payloads := ""
	if w.claims {
		payloads = "file:" + t.TempDir()
	}
	cfg.Tune = func(c *service.HostConfig) {
		c.OutboxPoll = 400 * time.Millisecond
		c.PayloadURL, c.PayloadAbove = payloads, large
	}
	stack.Run(t, cfg, func(t *testing.T, s *stack.Stack) {
		r.t, r.s = t, s
		r.open(payloads)
		r.schedule()
		r.check()
	})
	cover.add("played "+string(w.link), 1)
}

// open opens what the test itself uses.
func (r *run) open(payloads string) {
	r.client = r.s.Broker().Client(r.t)
	client, err := kafka.Open(r.t.Context(), r.s.Kafka())
	if err != nil {
		r.t.Fatalf("open the control topic: %v", err)
	}
	r.t.Cleanup(client.Close)
	r.desk = control.NewLog(client, control.Topic)
	if payloads == "" {
		return
	}
	if r.store, err = blob.Open(r.t.Context(), blob.Config{URL: payloads}); err != nil {
		r.t.Fatalf("open the payloads: %v", err)
	}
	r.t.Cleanup(r.store.Close)
}
