package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/chaos/proxy"
)

// nemesis does what a schedule says.
type nemesis struct {
	stage   *stage
	members map[string]*member
	dir     string
	tell    func(format string, args ...any)

	brokers, database sync.Mutex // held by the fault that has them

	mu     sync.Mutex
	counts map[Kind]*tally
	errs   []error
}

// tally is how often a fault came, and what it met.
type tally struct {
	Done   int `json:"done"`
	InHand int `json:"in_hand"`          // with work in the hands of what it met
	Missed int `json:"missed,omitempty"` // not done: its target was another fault's
	Frames int `json:"frames,omitempty"` // requests and replies that were lost or late
}

// Patience of faults with their targets: for work in hand, and for servers to come back.
const (
	busyWithin = 12 * time.Second
	backWithin = 5 * time.Minute
)

// run does every step at its time. When ctx ends, what lasts is healed at once; run returns when all
// is as it was.
func (n *nemesis) run(ctx context.Context, steps []Step) error {
	var all sync.WaitGroup
	begun := time.Now()
	for _, s := range steps {
		if !pause(ctx, time.Until(begun.Add(s.At))) {
			break
		}
		all.Go(func() { // ends with its fault
			if err := n.do(ctx, s); err != nil {
				n.mu.Lock()
				n.errs = append(n.errs, fmt.Errorf("%v: %w", s, err))
				n.mu.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(n.errs...)
}

// supervise starts processes again that end by themselves, as whatever runs services does, until ctx
// ends.
func (n *nemesis) supervise(ctx context.Context) error {
	for pause(ctx, 300*time.Millisecond) {
		for _, m := range n.members {
			if !m.busy.TryLock() { // a fault's
				continue
			}
			err := n.look(m)
			m.busy.Unlock()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *nemesis) look(m *member) error {
	select {
	case <-m.program.Done():
	default:
		return nil
	}
	if m.told { // one that had just begun has ended by the signal itself
		return nil
	}
	n.tell("%s ended by itself with status %d and starts again: %s", m.name, m.program.ExitCode(), m.program.LogTail(1))
	n.count(Step{Kind: Ended}, func(t *tally) { t.Done++ })
	return m.program.Restart()
}

func (n *nemesis) count(s Step, fn func(*tally)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.counts[s.Kind] == nil {
		n.counts[s.Kind] = &tally{}
	}
	fn(n.counts[s.Kind])
}

// done tells of a fault that came.
func (n *nemesis) done(s Step, inHand bool, format string, args ...any) {
	n.tell("%v: %s", s, fmt.Sprintf(format, args...))
	n.count(s, func(t *tally) {
		t.Done++
		if inHand {
			t.InHand++
		}
	})
}

// try takes a target for one fault, or counts the fault as missed.
func (n *nemesis) try(s Step, mu *sync.Mutex) bool {
	if mu.TryLock() {
		return true
	}
	_ = n.miss(s, "its target has another fault")
	return false
}

// miss tells of a fault that does not come.
func (n *nemesis) miss(s Step, why string) error {
	n.tell("%v: passed over: %s", s, why)
	n.count(s, func(t *tally) { t.Missed++ })
	return nil
}

func (n *nemesis) do(ctx context.Context, s Step) error {
	switch s.Kind {
	case KillBroker, StopBroker:
		return n.broker(ctx, s)
	case KillDB, RestartDB, FillDB:
		return n.postgres(ctx, s)
	case Kill:
		return n.killService(ctx, s)
	case Lose, Slow:
		return n.frames(ctx, s)
	}
	m := n.members[s.Target]
	if !n.try(s, &m.busy) {
		return nil
	}
	defer m.busy.Unlock()
	switch s.Kind {
	case KillWriter:
		open, err := n.killWriter(m)
		if err != nil {
			return err
		}
		return n.revive(ctx, s, m, open > 0, fmt.Sprintf("%d writes in hand", open))
	case Freeze, FreezeWrite:
		return n.freeze(ctx, s, m)
	case CutDB:
		return n.cut(ctx, s, m.name, n.stage.routes[s.Target])
	case Cut:
		return n.cut(ctx, s, m.name, s.Broker)
	}
	return fmt.Errorf("no fault is called %s", s.Kind)
}

// killService kills a process of a service at a moment when it has work in hand.
func (n *nemesis) killService(ctx context.Context, s Step) error {
	deadline := time.Now().Add(busyWithin)
	for {
		for _, m := range n.members {
			if m.service != s.Target || !m.busy.TryLock() {
				continue
			}
			queued, busy, err := m.look(ctx)
			if busy = busy && err == nil; busy || time.Now().After(deadline) {
				defer m.busy.Unlock()
				if err := m.kill(); err != nil {
					return err
				}
				return n.revive(ctx, s, m, busy, fmt.Sprintf("%s with %g records queued", m.name, queued))
			}
			m.busy.Unlock()
		}
		if time.Now().After(deadline.Add(time.Second)) {
			return n.miss(s, "all its processes have other faults")
		}
		if !pause(ctx, 10*time.Millisecond) {
			return nil
		}
	}
}

// killWriter kills a writer and counts what it had in hand.
func (n *nemesis) killWriter(m *member) (open int, err error) {
	if err := m.kill(); err != nil {
		return 0, err
	}
	return m.openDeeds(n.dir)
}

// revive starts a killed process again. Whether it comes back, the end of the run asks.
func (n *nemesis) revive(ctx context.Context, s Step, m *member, busy bool, what string) error {
	n.done(s, busy, "%s", what)
	pause(ctx, s.For)
	return m.program.Restart()
}

func (n *nemesis) freeze(ctx context.Context, s Step, m *member) error {
	queued, busy := 0.0, true // a writer always is
	if m.service != "" {
		queued, busy = m.waitBusy(ctx, busyWithin)
	}
	if err := m.program.Stop(); err != nil {
		return err
	}
	n.done(s, busy, "%g records queued", queued)
	pause(ctx, s.For)
	return m.program.Cont()
}

func (n *nemesis) cut(ctx context.Context, s Step, client string, route int32) error {
	way := proxy.Refuse
	if s.Silent {
		way = proxy.Silent
	}
	if route >= databaseRoute {
		client = ""
	}
	heal := n.stage.proxy.Cut(client, route, way)
	n.done(s, true, "cut")
	pause(ctx, s.For)
	heal()
	return nil
}

func (n *nemesis) frames(ctx context.Context, s Step) error {
	r := proxy.Rule{Client: s.Target, APIs: s.APIs, Times: s.Times, Act: proxy.Lose}
	if s.Reply {
		r.Side = proxy.Reply
	}
	switch {
	case s.Kind == Slow:
		r.Act, r.For, r.Times = proxy.Delay, min(s.For, 2*time.Second), 0
	case s.Silent:
		r.Act = proxy.Hang
	}
	lift := n.stage.proxy.Apply(r)
	pause(ctx, s.For)
	hits := lift()
	n.done(s, hits > 0, "%d frames", hits)
	n.count(s, func(t *tally) { t.Frames += hits })
	return nil
}

// leader is the broker that leads the step's partition.
func (n *nemesis) leader(ctx context.Context, s Step) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.stage.kafka.Brokers()...), kgo.RequestTimeoutOverhead(2*time.Second))
	if err != nil {
		return 0, fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(ctx)
	if err != nil {
		return 0, fmt.Errorf("look for the leader of %s: %w", s.Target, err)
	}
	for _, t := range topics {
		for _, p := range t.Partitions {
			if place(t.Topic, p.Partition) == s.Target && p.Leader > 0 {
				return int(p.Leader), nil
			}
		}
	}
	return 1, nil
}

// broker kills or freezes a leader while there is work, and leaves the cluster alone until all its
// replicas are in sync again.
func (n *nemesis) broker(ctx context.Context, s Step) error {
	if !n.try(s, &n.brokers) {
		return nil
	}
	defer n.brokers.Unlock()
	id, err := n.leader(ctx, s)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return n.miss(s, err.Error())
	}
	who, busy := n.anyBusy(ctx)
	k := n.stage.kafka
	if s.Kind == KillBroker {
		err = k.Kill(id)
	} else {
		err = k.Stop(id)
	}
	if err != nil {
		return err
	}
	n.done(s, busy, "broker %d, while %s has work in hand", id, cmp.Or(who, "nobody"))
	pause(ctx, s.For)
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
	defer cancel()
	if s.Kind == KillBroker {
		err = k.Restart(back, id)
	} else {
		err = k.Cont(id)
	}
	return errors.Join(err, n.stage.settle(back))
}

// anyBusy names a process that has work in hand.
func (n *nemesis) anyBusy(ctx context.Context) (string, bool) {
	for deadline := time.Now().Add(busyWithin); time.Now().Before(deadline) && ctx.Err() == nil; {
		for name, m := range n.members {
			if m.service == "" {
				continue
			}
			if _, busy, err := m.look(ctx); err == nil && busy {
				return name, true
			}
		}
	}
	return "", false
}

func (n *nemesis) postgres(ctx context.Context, s Step) error {
	if !n.try(s, &n.database) {
		return nil
	}
	defer n.database.Unlock()
	who, busy := n.anyBusy(ctx)
	db := n.stage.postgres
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
	defer cancel()
	if s.Kind == FillDB {
		if !n.stage.disk.small {
			return n.miss(s, "no file system of its own can be mounted here")
		}
		if err := n.stage.disk.fill(); err != nil {
			return err
		}
		n.done(s, busy, "full, while %s has work in hand", cmp.Or(who, "nobody"))
		pause(ctx, s.For)
		err := n.stage.disk.free()
		if !n.stage.postgres.Alive() { // it ends where it can't write its log
			n.tell("%v: PostgreSQL ended and starts again", s)
			err = errors.Join(err, db.Restart(back))
		}
		return err
	}
	if s.Kind == KillDB {
		if err := db.Kill(); err != nil {
			return err
		}
		n.done(s, busy, "killed, while %s has work in hand", cmp.Or(who, "nobody"))
		pause(ctx, s.For)
	} else {
		n.done(s, busy, "restarts, while %s has work in hand", cmp.Or(who, "nobody"))
	}
	return db.Restart(back)
}
