package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
)

const (
	joinsRate = 50 // events a second and partition
	joinsTake = 200 * time.Millisecond
	joinsAt   = 4 * time.Second // the second member comes
	leavesAt  = 9 * time.Second // and goes
)

// joinsCase is what a group does under a steady load of events that take 200 ms each when a second
// member comes and goes: how many effects there were too many, and the longest pause between two effects
// of a partition that stayed where it was, and of one that moved.
func joinsCase() benchCase {
	return inProcess(benchCase{
		records: partitions * joinsRate * 14, contenders: []string{"kgo", "leat"},
		work: map[string]func(context.Context, options) (int, error){
			"kgo":  func(ctx context.Context, o options) (int, error) { return joins(ctx, o, joinsRaw) },
			"leat": func(ctx context.Context, o options) (int, error) { return joins(ctx, o, joinsLeat) },
		},
		prepare: freshTopic,
	})
}

// effects is what the members of a group have done.
type effects struct {
	mu    sync.Mutex
	times map[uint32]int // by the event's number
	at    map[int32][]effect
	all   chan struct{}
	want  int
}

type effect struct {
	at     time.Time
	member int
}

func (e *effects) take(member int, partition int32, value []byte) {
	time.Sleep(joinsTake)
	e.mu.Lock()
	defer e.mu.Unlock()
	number := binary.BigEndian.Uint32(value)
	e.at[partition] = append(e.at[partition], effect{time.Now(), member})
	if e.times[number]++; e.times[number] == 1 && len(e.times) == e.want {
		close(e.all)
	}
}

// joins lets the load run, the guest come and go, and waits until every event has taken effect.
func joins(ctx context.Context, o options, member func(ctx context.Context, o options, group string, take func(int32, []byte)) error) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	e := &effects{times: map[uint32]int{}, at: map[int32][]effect{}, all: make(chan struct{}), want: o.records}
	group := fmt.Sprintf("joins-%x", mrand.Uint64())
	ended := make(chan error, 3)
	run := func(ctx context.Context, number int) {
		ended <- member(ctx, o, group, func(p int32, value []byte) { e.take(number, p, value) })
	}
	began := time.Now()
	host, stopHost := context.WithCancel(ctx)
	defer stopHost()
	go run(host, 1)
	go func() { ended <- joinsLoad(ctx, o) }()
	guest, stopGuest := context.WithCancel(ctx)
	defer stopGuest()
	time.Sleep(joinsAt)
	go run(guest, 2)
	time.Sleep(leavesAt - joinsAt)
	stopGuest()
	for range 2 { // the load and the guest
		if err := <-ended; err != nil {
			return 0, err
		}
	}
	select {
	case <-e.all:
	case err := <-ended:
		return 0, fmt.Errorf("the member that stays ended: %w", err)
	case <-ctx.Done():
		return len(e.times), context.Cause(ctx)
	}
	stopHost()
	if err := <-ended; err != nil {
		return 0, err
	}
	return len(e.times), e.tell(began.Add(joinsAt))
}

// tell writes down the pauses since the guest came and the effects that were too many.
func (e *effects) tell(from time.Time) error {
	more := map[string]float64{"repeats": 0, "stays_ms": 0, "moves_ms": 0}
	moved := 0
	for _, times := range e.at {
		slices.SortFunc(times, func(a, b effect) int { return a.at.Compare(b.at) })
		pause, name, last := time.Duration(0), "stays_ms", from
		for _, t := range times {
			if t.at.After(from) {
				pause, last = max(pause, t.at.Sub(last)), t.at
			}
			if t.member == 2 {
				name = "moves_ms"
			}
		}
		if name == "moves_ms" {
			moved++
		}
		more[name] = max(more[name], float64(pause.Milliseconds()))
	}
	for _, n := range e.times {
		more["repeats"] += float64(n - 1)
	}
	told = more
	if moved == 0 || moved == len(e.at) {
		return fmt.Errorf("%d of %d partitions moved: nothing to compare", moved, len(e.at))
	}
	return nil
}

// joinsLoad writes to all partitions at a steady rate.
func joinsLoad(ctx context.Context, o options) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.DefaultProduceTopic(o.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(time.Second / joinsRate)
	defer tick.Stop()
	for i := 0; i < o.records; {
		for p := range int32(partitions) {
			m := leat.Message{
				ID: leat.NewID(), Type: "bench.raw.v1", Source: "bench", Topic: o.topic, Key: fmt.Appendf(nil, "key-%d", i%1000),
				Data: binary.BigEndian.AppendUint32(nil, uint32(i)),
			}
			r := kafka.Record(&m)
			r.Partition = p
			cl.Produce(ctx, r, nil)
			i++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return cl.Flush(ctx)
}

// joinsRaw is a loop that starts a goroutine for each record and marks what is done, with the client's
// cooperative balancer and commits.
func joinsRaw(ctx context.Context, o options, group string, take func(int32, []byte)) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ConsumeTopics(o.topic), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.AutoCommitMarks(), kgo.AutoCommitInterval(time.Second),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		fs := cl.PollRecords(ctx, 1000)
		var all sync.WaitGroup
		fs.EachRecord(func(r *kgo.Record) {
			all.Go(func() { take(r.Partition, r.Value) })
		})
		all.Wait() // a mark speaks for all below it
		cl.MarkCommitRecords(fs.Records()...)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return cl.CommitMarkedOffsets(last)
}

func joinsLeat(ctx context.Context, o options, group string, take func(int32, []byte)) error {
	topic := leat.Topic{Name: o.topic, Carries: []any{leat.KindOf[rawEvent]("bench.raw.v1", nil)}}
	h := consumer.On(topic, func(_ context.Context, e *leat.Event[rawEvent]) error {
		take(e.Position().Partition, e.Data)
		return nil
	}, consumer.Parallel(500))
	c, err := consumer.New(consumer.Config{
		Group: group, Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")},
		Handlers: []leat.Handler{h}, Codec: noCodec{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return c.Run(ctx)
}
