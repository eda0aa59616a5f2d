package work

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/leatdev/leat"
)

// Loop works off due rows of type J.
type Loop[J any] struct {
	// Claim takes up to n due rows and puts off their next time beyond the end of Do.
	Claim func(ctx context.Context, n int) ([]J, error)
	// Do does one and writes its outcome. An error leaves the row as claimed, due again later.
	Do func(ctx context.Context, job J) error
	// Wake says that there may be a new row; nil: only Poll.
	Wake <-chan struct{}

	Parallel int           // rows in hand at once; 0: 32
	Poll     time.Duration // how often to look without being woken; 0: 200 ms
	Limit    time.Duration // how long Do may take; 0: 30 s
	Logger   *slog.Logger  // nil: slog.Default
}

// again is how fast a failed claim is repeated.
var again = leat.Retry{Attempts: -1, Base: 50 * time.Millisecond, Max: 2 * time.Second}

// Run works until ctx is cancelled and then finishes what is in hand.
func (l Loop[J]) Run(ctx context.Context) error {
	l = l.withDefaults()
	var hands sync.WaitGroup // owned here; each does one row
	defer hands.Wait()
	free := make(chan struct{}, l.Parallel)
	for range l.Parallel {
		free <- struct{}{}
	}
	for failed := 0; ctx.Err() == nil; {
		n := reserve(ctx, free)
		if n == 0 {
			break
		}
		jobs, err := l.Claim(ctx, n)
		for range n - len(jobs) {
			free <- struct{}{}
		}
		if err != nil && ctx.Err() == nil {
			failed++
			l.Logger.WarnContext(ctx, "claim due work", "error", err, "attempt", failed)
			l.wait(ctx, again.Delay(failed, rand.Float64()))
			continue
		}
		failed = 0
		for _, job := range jobs {
			hands.Go(func() {
				defer func() { free <- struct{}{} }()
				l.do(ctx, job)
			})
		}
		if len(jobs) < n {
			l.wait(ctx, l.Poll)
		}
	}
	return nil
}

// do finishes a row even when the service is being stopped: its outcome may be known by now.
func (l Loop[J]) do(ctx context.Context, job J) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Limit)
	defer cancel()
	if err := l.Do(ctx, job); err != nil {
		l.Logger.WarnContext(ctx, "work is put off", "error", err)
	}
}

// reserve takes all free hands, at least one.
func reserve(ctx context.Context, free <-chan struct{}) int {
	select {
	case <-free:
	case <-ctx.Done():
		return 0
	}
	n := 1
	for {
		select {
		case <-free:
			n++
		default:
			return n
		}
	}
}

func (l Loop[J]) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.Wake:
	case <-t.C:
	}
}

func (l Loop[J]) withDefaults() Loop[J] {
	if l.Parallel == 0 {
		l.Parallel = 32
	}
	if l.Poll == 0 {
		l.Poll = 200 * time.Millisecond
	}
	if l.Limit == 0 {
		l.Limit = 30 * time.Second
	}
	if l.Logger == nil {
		l.Logger = slog.Default()
	}
	return l
}
