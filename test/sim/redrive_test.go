package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
)

// errKilled is why a tool has ended.
var errKilled = errors.New("the tool was killed")

// tool is a process that gives dead letters back: it dies at the n-th of its steps, 0: never.
type tool struct {
	r      *run
	dies   int
	filter redrive.Filter
	dial   func(context.Context, string, string) (net.Conn, error)
	kill   context.CancelCauseFunc

	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

// work does what leat dlq redrive does.
func (k *tool) work() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ctx, k.kill = context.WithCancelCause(ctx)
	defer k.kill(nil)
	cfg := k.r.s.Kafka()
	k.dial, cfg.Dial = cfg.Dial, k.connect
	client, err := kafka.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	tally, err := redrive.Job{
		Client: client, Group: "middle", Topic: items.Name, Filter: k.filter, Guard: redrive.Guard{Rounds: 1000},
		Act: redrive.Redriven, By: "sim", Hook: k.hook,
	}.Run(ctx)
	k.r.cover.add("redriven", tally.Done)
	return err
}

// hook kills the tool, as kill -9 does: nothing of it leaves any more.
func (k *tool) hook(point string) {
	if k.dies--; k.dies != 0 {
		return
	}
	k.r.cover.add("tool killed at "+point, 1)
	k.mu.Lock()
	k.dead = true
	cut := k.conns
	k.mu.Unlock()
	for _, c := range cut {
		_ = c.Close()
	}
	k.kill(errKilled)
}

func (k *tool) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := k.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		_ = c.Close()
		time.Sleep(time.Second)
		return nil, errKilled
	}
	k.conns = append(k.conns, c)
	return c, nil
}

// redrive mends some of what is dead and gives dead letters back, while everything goes on.
func (r *run) redrive() {
	if !r.tool.TryLock() {
		return
	}
	dead, _ := r.deadLetters("middle")
	for _, op := range sorted(dead) {
		if r.rng.IntN(2) == 0 {
			r.say("mend %s", op)
			r.mend(op)
		}
	}
	k := &tool{r: r, dies: r.rng.IntN(8)}
	if r.rng.IntN(3) == 0 {
		k.filter.Key = fmt.Appendf(nil, "key-%d", r.rng.IntN(keys))
	}
	r.say("redrive %d dead letters, key %q, killed at step %d", len(dead), k.filter.Key, k.dies)
	r.under.Go(func() {
		defer r.tool.Unlock()
		if err := k.work(); err == nil && len(dead) > 0 {
			r.cover.add("redriven under faults", 1)
		}
	})
}

// redriveAll mends most of what is dead and gives all dead letters back: once with a tool that may die on
// the way, and again until it is done.
func (r *run) redriveAll() {
	dead, _ := r.deadLetters("middle")
	if len(dead) == 0 {
		return
	}
	for _, op := range sorted(dead) {
		if doomed, _ := r.fateOf(op); doomed && r.rng.IntN(3) > 0 {
			r.mend(op)
		}
	}
	dies := 1 + r.rng.IntN(2*len(dead)+2)
	r.say("redrive all %d, killed at step %d", len(dead), dies)
	_ = (&tool{r: r, dies: dies}).work()
	if r.rng.IntN(2) == 0 {
		for _, p := range r.s.Processes("middle") {
			p.Crash()
		}
		r.s.Launch("middle")
		r.cover.add("crash after redrive", 1)
	}
	leattest.Within(r.t, 5*time.Minute, "the dead letters go back", (&tool{r: r}).work)
	r.s.Quiet()
}
