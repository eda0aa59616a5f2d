package service

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// stage is tasks that start together and stop together: consumers, parts, relays.
type stage struct {
	ctx  context.Context
	stop context.CancelFunc
	fail func(error) // takes the error of a task that ended on its own

	tasks sync.WaitGroup

	mu      sync.Mutex
	running []string
}

func newStage(base context.Context, fail func(error)) *stage {
	s := &stage{fail: fail}
	s.ctx, s.stop = context.WithCancel(base)
	return s
}

var errEndedEarly = errors.New("ended although nobody asked it to")

// start runs f in a goroutine that the stage owns. lasting says that f must not return before it is
// asked to.
func (s *stage) start(name string, lasting bool, f func(ctx context.Context) error) {
	s.mu.Lock()
	s.running = append(s.running, name)
	s.mu.Unlock()
	s.tasks.Go(func() {
		err := caught(s.ctx, f)
		if err == nil && lasting && s.ctx.Err() == nil {
			err = errEndedEarly
		}
		s.mu.Lock()
		i := slices.Index(s.running, name)
		s.running = slices.Delete(s.running, i, i+1)
		s.mu.Unlock()
		if err != nil && (s.ctx.Err() == nil || !errors.Is(err, context.Cause(s.ctx))) {
			s.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}

func caught(ctx context.Context, f func(ctx context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx)
}

// end asks the tasks to stop, waits until they have or limit ends, and names those that still run.
func (s *stage) end(limit context.Context) []string {
	s.stop()
	ended := make(chan struct{})
	go func() { // ends with the tasks
		s.tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-limit.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.running)
}
