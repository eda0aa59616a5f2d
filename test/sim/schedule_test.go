package sim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/leattest/stack"
)

const (
	brokers = 3
	keys    = 5
)

var names = []string{"source", "middle", "sink", "watch"}

// run is one seed at work.
type run struct {
	*world
	t      *testing.T
	s      *stack.Stack
	rng    *rand.Rand  // of the schedule; used by its one goroutine
	client *kgo.Client // the test's own
	desk   *control.Log
	store  blob.Store // nil: all data is in the records
	trace  []string

	asked   sync.WaitGroup // operations that have no answer yet
	under   sync.WaitGroup // troubles under way
	ops     []made         // what was asked for, N unknown
	junk    []recordAt     // foreign records on items
	doubled map[string]int // records that were written again, by topic
	faults  []*kfake.FaultHandle
	cover   *coverage
	hooks   *hooks
	tool    sync.Mutex       // held while dead letters go back
	sources []*stack.Process // guarded by mu
}

type recordAt struct {
	partition int32
	offset    int64
}

func (r *run) say(format string, args ...any) {
	r.trace = append(r.trace, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// schedule asks for operations and makes trouble, then lets everything heal.
func (r *run) schedule() {
	for _, name := range names {
		r.s.Start(name)
	}
	r.refresh()
	r.hooks.arm(1 + r.rng.IntN(8))
	for range r.steps {
		r.step()
		time.Sleep(time.Duration(r.rng.IntN(400)) * time.Millisecond)
	}
	r.under.Wait()
	r.hooks.stop() // no crash at a commit point from here on
	for _, f := range r.faults {
		r.cover.add("refused", f.Hits())
		f.Remove()
	}
	for _, of := range losable {
		r.cover.add("lost "+of.Name(), r.s.LostReplies(of))
		r.s.LoseReplies(of, 0)
	}
	for _, name := range names {
		if len(r.s.Processes(name)) == 0 {
			r.s.Launch(name) // ready only when the sessions of the crashed have ended
		}
	}
	r.refresh()
	r.say("heal")
	r.asked.Wait()
	r.s.Quiet()
	r.redriveAll()
}

func (r *run) step() {
	r.pick([]choice{
		{40, r.ask},
		{8, r.crash},
		{8, r.join},
		{4, r.drain},
		{6, r.moveLeader},
		{3, r.shuffleLeaders},
		{4, r.moveCoordinators},
		{7, r.refuse},
		{7, r.loseReplies},
		{6, r.double},
		{5, r.foreign},
		{3, r.wait},
		{4, r.stall},
		{4, r.redrive},
		{3, r.away},
		{3, r.command},
	})
	r.refresh()
}

// refresh tells the askers which processes to ask; the stack's own list is the schedule's alone.
func (r *run) refresh() {
	now := slices.Clone(r.s.Processes("source"))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = now
}

type choice struct {
	weight int
	act    func()
}

func (r *run) pick(from []choice) {
	sum := 0
	for _, c := range from {
		sum += c.weight
	}
	n := r.rng.IntN(sum)
	for _, c := range from {
		if n -= c.weight; n < 0 {
			c.act()
			return
		}
	}
}

// ask asks source for some operations at once, again and again until each has its answer.
func (r *run) ask() {
	for range 1 + r.rng.IntN(4) {
		op := made{Op: fmt.Sprintf("op-%d", len(r.ops)), Key: fmt.Sprintf("key-%d", r.rng.IntN(keys))}
		if r.claims && r.rng.IntN(2) == 0 {
			op.Pad = strings.Repeat("x", 2*large)
		}
		r.ops = append(r.ops, op)
		r.decide(op.Op)
		r.say("ask %s of %s", op.Op, op.Key)
		body, _ := json.Marshal(op)
		r.asked.Go(func() { r.insist(string(body)) }) // awaited before the check
	}
}

func (r *run) insist(body string) {
	for i := 0; ; i++ {
		r.mu.Lock()
		known := r.sources
		r.mu.Unlock()
		if len(known) > 0 {
			if known[i%len(known)].Do("POST", "/make", body).Code == http.StatusAccepted {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (r *run) decide(op string) {
	f := &fate{}
	switch n := r.rng.IntN(20); {
	case n < 4:
		f.fails = 1 + r.rng.IntN(3)
	case n == 4:
		f.doomed = true // exhausts its attempts
	case n == 5:
		f.doomed, f.permanent = true, true
	case n < 8:
		f.away = 1 + r.rng.IntN(8)
	default:
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fates[op] = f
}

func (r *run) anyProcess() *stack.Process {
	var alive []*stack.Process
	for _, name := range names {
		alive = append(alive, r.s.Processes(name)...)
	}
	if len(alive) == 0 {
		return nil
	}
	return alive[r.rng.IntN(len(alive))]
}

func (r *run) crash() {
	if p := r.anyProcess(); p != nil {
		r.say("crash %v", p)
		p.Crash()
		r.cover.add("crash.anywhere", 1)
	}
}

func (r *run) join() {
	name := names[r.rng.IntN(len(names))]
	if len(r.s.Processes(name)) < 3 {
		r.say("launch %v", r.s.Launch(name))
	}
}

// drain may end badly where a transaction or a commit is cut off by other trouble; then its events come
// again.
func (r *run) drain() {
	p := r.anyProcess()
	if p == nil {
		return
	}
	r.say("drain %v", p)
	p.Resume() // or it could not say that it goes
	if err := p.Drain(); err != nil {
		r.say("drained %v: %v", p, err)
		r.cover.add("drained badly", 1)
		return
	}
	r.cover.add("drain", 1)
}

func (r *run) wait() {
	d := time.Duration(1+r.rng.IntN(10)) * time.Second
	r.say("wait %v", d)
	time.Sleep(d)
}
