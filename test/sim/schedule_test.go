package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/leattest/stack"
)

const (
	brokers = 3
	steps   = 40
	keys    = 5
)

var names = []string{"source", "middle", "sink", "watch"}

// run is one seed at work.
type run struct {
	*world
	t        *testing.T
	s        *stack.Stack
	rng      *rand.Rand // of the schedule; used by its one goroutine
	embedded bool
	client   *kgo.Client // the test's own
	trace    []string

	asked   sync.WaitGroup
	ops     []made     // what was asked for, N unknown
	junk    []recordAt // foreign records on items
	doubled int        // records that were written again
	faults  []*kfake.FaultHandle
	cover   *coverage
	hooks   *hooks
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
	r.hooks.arm(r.rng.IntN(8))
	for range steps {
		r.step()
		time.Sleep(time.Duration(r.rng.IntN(400)) * time.Millisecond)
	}
	r.hooks.stop() // no crash at a commit point from here on
	for _, f := range r.faults {
		r.cover.add("fault.hit", f.Hits())
		f.Remove()
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
		{12, r.loseReplies},
		{6, r.double},
		{5, r.foreign},
		{4, r.wait},
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
		f.fails = 100 // exhausts its attempts
	case n == 5:
		f.permanent = true
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

func (r *run) drain() {
	if p := r.anyProcess(); p != nil {
		r.say("drain %v", p)
		p.Stop()
		r.cover.add("drain", 1)
	}
}

func (r *run) wait() {
	d := time.Duration(1+r.rng.IntN(15)) * time.Second
	r.say("wait %v", d)
	time.Sleep(d)
}

func (r *run) topic() string { return []string{items.Name, moves.Name}[r.rng.IntN(2)] }

func (r *run) moveLeader() {
	topic, partition, node := r.topic(), int32(r.rng.IntN(3)), int32(r.rng.IntN(brokers))
	r.say("move the leader of %s/%d to %d", topic, partition, node)
	if err := r.s.Cluster.MoveTopicPartition(topic, partition, node); err != nil {
		r.t.Fatalf("move leader: %v", err)
	}
	r.cover.add("leader.moved", 1)
}

// shuffleLeaders moves the leaders of all partitions of the world's topics. The control topic's stays:
// a client that follows a single partition asks its old leader without a pause until its metadata may
// be asked for again, and in a bubble no time passes meanwhile.
func (r *run) shuffleLeaders() {
	r.say("shuffle leaders")
	for _, topic := range []string{items.Name, moves.Name} {
		for partition := range int32(3) {
			if err := r.s.Cluster.MoveTopicPartition(topic, partition, int32(r.rng.IntN(brokers))); err != nil {
				r.t.Fatalf("move leader: %v", err)
			}
		}
	}
	r.cover.add("leader.moved", 1)
}

func (r *run) moveCoordinators() {
	r.say("move coordinators")
	r.s.Cluster.RehashCoordinators()
	r.cover.add("coordinator.moved", 1)
}

// loseReplies makes a few requests of one kind fail: REQUEST_TIMED_OUT is answered although the
// request was applied, which is what a lost reply looks like.
func (r *run) loseReplies() {
	kinds := []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.Produce, []*kerr.Error{kerr.RequestTimedOut, kerr.NotLeaderForPartition, kerr.NotEnoughReplicasAfterAppend}},
		{kmsg.OffsetCommit, []*kerr.Error{kerr.RequestTimedOut, kerr.NotCoordinator, kerr.RebalanceInProgress}},
		{kmsg.EndTxn, []*kerr.Error{kerr.RequestTimedOut, kerr.CoordinatorLoadInProgress}},
		{kmsg.AddPartitionsToTxn, []*kerr.Error{kerr.ConcurrentTransactions, kerr.NotCoordinator}},
		{kmsg.InitProducerID, []*kerr.Error{kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable}},
		{kmsg.Heartbeat, []*kerr.Error{kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.NotCoordinator}},
		{kmsg.JoinGroup, []*kerr.Error{kerr.UnknownMemberID, kerr.NotCoordinator}},
		{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition}},
		{kmsg.OffsetFetch, []*kerr.Error{kerr.NotCoordinator}},
	}
	k := kinds[r.rng.IntN(len(kinds))]
	f := kfake.Fault{Keys: []kmsg.Key{k.key}, Err: k.errs[r.rng.IntN(len(k.errs))], Count: 1 + r.rng.IntN(3)}
	r.say("lose %d replies to %v: %v", f.Count, k.key.Name(), f.Err.Message)
	r.faults = append(r.faults, r.s.Cluster.Fault(f))
}

// double writes records of a topic again, byte for byte, as a sender that does not know better.
func (r *run) double() {
	topic := r.topic()
	records := slices.DeleteFunc(r.s.Broker().ReadAll(r.t, r.s.Topic(topic), kgo.ReadCommitted()), func(rec *kgo.Record) bool {
		return topic == items.Name && slices.Contains(r.junk, recordAt{rec.Partition, rec.Offset})
	})
	if len(records) == 0 {
		return
	}
	from := r.rng.IntN(len(records))
	for _, old := range records[from:min(from+3, len(records))] {
		r.write(&kgo.Record{Topic: topic, Key: old.Key, Value: old.Value, Headers: old.Headers})
		r.doubled++
		r.cover.add("doubled", 1)
	}
	r.say("write records of %s again from %d", topic, from)
}

// foreign writes bytes that are no event.
func (r *run) foreign() {
	rec := &kgo.Record{Topic: items.Name, Key: fmt.Appendf(nil, "key-%d", r.rng.IntN(keys)), Value: []byte("\x00not an event")}
	if r.rng.IntN(2) == 0 { // an event by its headers, and broken inside
		rec.Headers = []kgo.RecordHeader{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: fmt.Appendf(nil, "junk-%d", len(r.junk))}, {Key: "ce_type", Value: []byte(made{}.EventType())}, {Key: "ce_source", Value: []byte("nobody")}}
	}
	r.write(rec)
	r.junk = append(r.junk, recordAt{rec.Partition, rec.Offset})
	r.say("foreign bytes at %d/%d", rec.Partition, rec.Offset)
}

func (r *run) write(rec *kgo.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.client.ProduceSync(ctx, rec).FirstErr(); err != nil {
		r.t.Fatalf("write to %s: %v", rec.Topic, err)
	}
}
