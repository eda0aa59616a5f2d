package work_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/shop/work"
)

// queue is due rows in memory: a claim takes them.
type queue struct {
	mu   sync.Mutex
	rows []int
}

func (q *queue) claim(_ context.Context, n int) ([]int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.rows))
	jobs := q.rows[:n:n]
	q.rows = q.rows[n:]
	return jobs, nil
}

func (q *queue) add(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rows = append(q.rows, n)
}

func TestLoopWorksInParallelAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{}
		for i := range 20 {
			q.add(i)
		}
		var busy, done atomic.Int32
		var mu sync.Mutex
		var most int32
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- work.Loop[int]{Parallel: 4, Claim: q.claim, Do: func(context.Context, int) error {
				mu.Lock()
				most = max(most, busy.Add(1))
				mu.Unlock()
				time.Sleep(time.Second)
				busy.Add(-1)
				done.Add(1)
				return nil
			}}.Run(ctx)
		}()
		time.Sleep(6 * time.Second)
		cancel()
		if err := <-ended; err != nil || done.Load() != 20 || most != 4 {
			t.Errorf("%d done, at most %d at once, %v", done.Load(), most, err)
		}
	})
}

func TestLoopWakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, wake := &queue{}, make(chan struct{}, 1)
		var at time.Time
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- work.Loop[int]{Poll: time.Hour, Wake: wake, Claim: q.claim, Do: func(context.Context, int) error {
				at = time.Now()
				return nil
			}}.Run(ctx)
		}()
		time.Sleep(time.Second)
		q.add(1)
		wake <- struct{}{}
		woken := time.Now()
		synctest.Wait()
		cancel()
		<-ended
		if at != woken {
			t.Errorf("the row was done at %v, the loop was woken at %v", at, woken)
		}
	})
}

func TestLoopFinishesWhatIsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{rows: []int{1, 2}}
		finished := 0
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- work.Loop[int]{Parallel: 1, Claim: q.claim, Do: func(ctx context.Context, _ int) error {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
					finished++
				}
				return nil
			}}.Run(ctx)
		}()
		time.Sleep(500 * time.Millisecond)
		cancel()
		if err := <-ended; err != nil || finished != 1 {
			t.Errorf("%d finished, %v: want the one in hand and no new one", finished, err)
		}
	})
}

func TestLoopOutlivesAnAbsentDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var claims, done int
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := work.Loop[int]{Parallel: 3, Claim: func(_ context.Context, n int) ([]int, error) {
			if claims++; claims <= 30 {
				return nil, errors.New("away")
			}
			if n != 3 {
				t.Errorf("after failed claims %d hands are free, want 3", n)
			}
			return []int{1}, nil
		}, Do: func(context.Context, int) error {
			done++
			cancel()
			return nil
		}}.Run(ctx)
		if err != nil || done != 1 {
			t.Errorf("%d done, %v", done, err)
		}
	})
}

func ExampleLoop() {
	ctx, cancel := context.WithCancel(context.Background())
	due := []string{"order-1"}
	_ = work.Loop[string]{
		Claim: func(context.Context, int) ([]string, error) { jobs := due; due = nil; return jobs, nil },
		Do:    func(_ context.Context, id string) error { fmt.Println("call for", id); cancel(); return nil },
	}.Run(ctx)
	// Output: call for order-1
}
