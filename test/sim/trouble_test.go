package sim_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/consumer/control"
)

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

// losable are the requests whose replies get lost.
var losable = []kmsg.Key{kmsg.Produce, kmsg.OffsetCommit, kmsg.InitProducerID, kmsg.JoinGroup, kmsg.EndTxn, kmsg.TxnOffsetCommit}

func (r *run) loseReplies() {
	of, n := losable[r.rng.IntN(len(losable))], 1+r.rng.IntN(3)
	switch transactional := !r.embedded && r.rng.IntN(2) == 0; {
	case transactional && r.link == transform:
		of = losable[4+r.rng.IntN(2)]
	case transactional:
		of = kmsg.EndTxn
	}
	r.say("lose %d replies to %v", n, of.Name())
	r.s.LoseReplies(of, n)
}

// refuse makes a few requests of one kind fail. REQUEST_TIMED_OUT is answered although the request was
// applied, where a broker may do so.
func (r *run) refuse() {
	kinds := []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.Produce, []*kerr.Error{kerr.RequestTimedOut, kerr.NotLeaderForPartition, kerr.NotEnoughReplicasAfterAppend}},
		{kmsg.OffsetCommit, []*kerr.Error{kerr.RequestTimedOut, kerr.NotCoordinator, kerr.RebalanceInProgress}},
		{kmsg.TxnOffsetCommit, []*kerr.Error{kerr.RequestTimedOut, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress}},
		{kmsg.EndTxn, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions}},
		{kmsg.InitProducerID, []*kerr.Error{kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable}},
		{kmsg.Heartbeat, []*kerr.Error{kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.NotCoordinator}},
		{kmsg.JoinGroup, []*kerr.Error{kerr.UnknownMemberID, kerr.NotCoordinator}},
		{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition}},
		{kmsg.OffsetFetch, []*kerr.Error{kerr.NotCoordinator}},
	}
	k := kinds[r.rng.IntN(len(kinds))]
	f := kfake.Fault{Keys: []kmsg.Key{k.key}, Err: k.errs[r.rng.IntN(len(k.errs))], Count: 1 + r.rng.IntN(3)}
	r.say("refuse %d of %v: %v", f.Count, k.key.Name(), f.Err.Message)
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
		r.doubled[topic]++
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

// stall keeps what a process sends from leaving, often longer than its session, its transaction and its
// lease live: then it comes back as one that others have taken over from.
func (r *run) stall() {
	p, d := r.anyProcess(), time.Duration(1+r.rng.IntN(20))*time.Second
	if middle := r.s.Processes("middle"); len(middle) > 0 && r.rng.IntN(2) == 0 {
		p = middle[r.rng.IntN(len(middle))]
	}
	if p == nil {
		return
	}
	r.say("stall %v for %v", p, d)
	r.cover.add("stalled", 1)
	p.Stall()
	r.under.Go(func() {
		time.Sleep(d)
		p.Resume()
	})
}

// away makes what watch calls fail for a while.
func (r *run) away() {
	d := time.Duration(3+r.rng.IntN(10)) * time.Second
	r.say("what watch calls is away for %v", d)
	r.suffer(true)
	r.under.Go(func() {
		time.Sleep(d)
		r.suffer(false)
	})
}

func (w *world) suffer(outage bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outage = outage
}

// command pauses a group, a topic or a partition, or gives a handler a rate, and lifts it later.
func (r *run) command() {
	of := []struct{ group, topic string }{{"middle", items.Name}, {"sink", moves.Name}, {"watch", items.Name}}[r.rng.IntN(3)]
	c := control.Record{Kind: control.Pause, Group: of.group, Partition: control.All, ID: fmt.Sprint("pause-", len(r.trace)), By: "sim"}
	switch r.rng.IntN(4) {
	case 0:
		c.Topic = of.topic
	case 1:
		c.Topic, c.Partition = of.topic, int32(r.rng.IntN(3))
	case 2:
		c.Kind, c.ID, c.Topic, c.PerSecond = control.Rate, "", of.topic, float64(1+r.rng.IntN(5))
	}
	d := time.Duration(1+r.rng.IntN(8)) * time.Second
	r.say("%s %s for %v", c.Kind, c.Scope(), d)
	r.cover.add("command."+string(c.Kind), 1)
	r.under.Go(func() {
		r.tell([]control.Record{c}, nil)
		time.Sleep(d)
		r.tell(nil, []control.Record{c})
	})
}

// tell writes to the control topic until it is written.
func (r *run) tell(records, lifted []control.Record) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := r.desk.Write(ctx, records, lifted)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}
