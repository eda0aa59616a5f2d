package attempt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

const second = int64(time.Second)

func TestTheBreakerDecidesAsItsTableSays(t *testing.T) {
	t.Parallel()
	cfg := leat.Breaker{Rate: 0.5, Min: 4, Window: 10 * time.Second, Pause: 30 * time.Second, Probes: 3}
	type step struct {
		at   int64  // seconds
		what string // ok, bad, wake
		want BreakerState
	}
	for name, steps := range map[string][]step{
		"too few say nothing":        {{0, "bad", breakerClosed}, {1, "bad", breakerClosed}, {2, "bad", breakerClosed}},
		"opens at the rate":          {{0, "ok", 0}, {0, "ok", 0}, {1, "bad", 0}, {2, "bad", BreakerOpen}},
		"below the rate":             {{0, "ok", 0}, {0, "ok", 0}, {0, "ok", 0}, {1, "bad", 0}, {2, "bad", 0}},
		"old ones are forgotten":     {{0, "bad", 0}, {0, "bad", 0}, {0, "bad", 0}, {20, "bad", 0}, {21, "bad", 0}},
		"a success does not open it": {{0, "bad", 0}, {0, "bad", 0}, {0, "bad", 0}, {0, "ok", 0}, {0, "bad", BreakerOpen}},
		"half-open after the pause": {
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", BreakerOpen},
			{29, "wake", BreakerOpen},
			{30, "wake", BreakerHalfOpen},
		},
		"probes close it": {
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", BreakerOpen},
			{30, "wake", BreakerHalfOpen},
			{31, "ok", BreakerHalfOpen},
			{32, "ok", breakerClosed},
			{33, "bad", breakerClosed},
		},
		"one bad probe of three does not open it": {
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", BreakerOpen},
			{30, "wake", BreakerHalfOpen},
			{31, "bad", BreakerHalfOpen},
			{32, "ok", BreakerHalfOpen},
			{33, "ok", breakerClosed},
		},
		"probes open it again, for the whole pause": {
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", 0},
			{0, "bad", BreakerOpen},
			{30, "wake", BreakerHalfOpen},
			{40, "bad", BreakerHalfOpen},
			{41, "bad", BreakerOpen},
			{70, "wake", BreakerOpen},
			{71, "wake", BreakerHalfOpen},
		},
	} {
		b := NewBreaker(cfg)
		for i, s := range steps {
			if s.what == "wake" {
				b.Wake(s.at * second)
			} else {
				b.Result(s.at*second, b.Turn, s.what == "bad")
			}
			if b.State != s.want {
				t.Errorf("%s: after step %d (%v) it is %v", name, i, s, b.State)
				break
			}
		}
	}
}

func TestAResultOfAnEarlierTurnSaysNothing(t *testing.T) {
	t.Parallel()
	b := NewBreaker(leat.Breaker{Min: 1, Probes: 1})
	early := b.Turn
	b.Result(0, early, true)
	b.Wake(b.since + int64(b.Config.Pause))
	if b.State != BreakerHalfOpen {
		t.Fatal(b.State)
	}
	if b.Result(0, early, true) || b.Result(0, early, false) || b.State != BreakerHalfOpen {
		t.Errorf("%v by the result of an attempt that began before", b.State)
	}
}

func TestOutcomesThatTellNothingOfWhatTheHandlerCalls(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	for _, err := range []error{leat.Permanent(no), leat.Skip("old"), leat.Unavailable(no), &leat.UndecodableError{Err: no}} {
		if _, told := Tells(err); told {
			t.Errorf("%v (%T) tells", err, err)
		}
	}
	for _, err := range []error{no, leat.RetryAfter(no, time.Second), &leat.PanicError{}, fmt.Errorf("%w: %w", ErrTimeout, no)} {
		if failed, told := Tells(err); !failed || !told {
			t.Errorf("%v (%T) is no failure", err, err)
		}
	}
}

// Whatever happens: it opens only by enough failures in the window, lets nothing through while open
// and at most Probes while half-open, and never stays half-open when all probes have answered.
func TestTheBreakerKeepsItsRules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		cfg := leat.Breaker{Rate: 0.1 + 0.9*r.Float64(), Min: 1 + r.IntN(10), Window: time.Duration(1+r.IntN(20)) * time.Second, Pause: time.Duration(1+r.IntN(20)) * time.Second, Probes: 1 + r.IntN(5)}
		b := NewBreaker(cfg)
		type result struct {
			at  int64
			bad bool
		}
		var turn []result // of the closed state
		now, answered := int64(0), 0
		for range 400 {
			now += int64(r.Float64() * float64(2*time.Second))
			before := *b
			bad := r.IntN(3) == 0
			b.Wake(now)
			switch b.State {
			case BreakerOpen:
				if b.Limit(100) != 0 {
					t.Fatalf("seed %d: open, and %d may start", seed, b.Limit(100))
				}
				if now >= before.since+int64(cfg.Pause) && before.State == BreakerOpen {
					t.Fatalf("seed %d: open for longer than its pause", seed)
				}
				continue
			case BreakerHalfOpen:
				if before.State == BreakerOpen {
					answered = 0
				}
				if got, want := b.Limit(100), cfg.Probes-answered; got != want || got < 1 {
					t.Fatalf("seed %d: half-open after %d answers of %d, and %d may start", seed, answered, cfg.Probes, got)
				}
				answered++
			}
			was := b.State
			b.Result(now, b.Turn, bad)
			if was == breakerClosed {
				turn = append(turn, result{now, bad})
				n, failed, width := 0, 0, int64(cfg.Window)/breakerSlots
				for _, x := range turn {
					if x.at/width > now/width-breakerSlots {
						n++
						if x.bad {
							failed++
						}
					}
				}
				if opens := bad && n >= cfg.Min && float64(failed) >= cfg.Rate*float64(n); opens != (b.State == BreakerOpen) {
					t.Fatalf("seed %d: %v after %d failures of %d, rate %v, min %d", seed, b.State, failed, n, cfg.Rate, cfg.Min)
				}
			}
			if b.State != was {
				turn = nil
			}
			if b.State == BreakerHalfOpen && answered >= cfg.Probes {
				t.Fatalf("seed %d: still half-open after %d answers", seed, answered)
			}
		}
	}
}

func TestTheBucketLetsThroughWhatItsRateSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		rate := leat.RateLimit{PerSecond: 0.5 + 500*r.Float64(), Burst: 1 + r.IntN(20)}
		l := NewLimiter[int](rate)
		now := int64(1e18)
		b := l.bucket("", now)
		began, taken := now, 0
		for range 2000 {
			now += int64(r.Float64() * 3e9 / rate.PerSecond)
			if l.take(b, now) {
				taken++
			}
			most := float64(rate.Burst) + rate.PerSecond*float64(now-began)/1e9
			if float64(taken) > most+1e-6 {
				t.Fatalf("seed %d: %d taken, at most %v", seed, taken, most)
			}
		}
		if due := l.next(b); b.tokens < 1 && (due <= b.at || float64(due-b.at)/1e9*rate.PerSecond > float64(rate.Burst)/2+2+rate.PerSecond*5e-3) {
			t.Fatalf("seed %d: the next look is in %v", seed, time.Duration(due-b.at))
		}
	}
}

func TestIdleClassesAreForgottenAndCrowdedOnesAreNot(t *testing.T) {
	t.Parallel()
	l := NewLimiter[int](leat.RateLimit{PerSecond: 1, Burst: 1})
	now := int64(1e18)
	busy := l.bucket("busy", now)
	for i := range 100_000 {
		now += second / 100
		l.take(busy, now)
		b := l.bucket(fmt.Sprint("c", i), now)
		l.take(b, now)
	}
	if n := len(l.buckets); n > 2*crowd {
		t.Errorf("%d classes are kept", n)
	}
	if l.buckets["busy"] != busy {
		t.Error("a class in use was forgotten, and with it what it has taken")
	}
}
