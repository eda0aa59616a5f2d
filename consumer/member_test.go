package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// counting is a log that counts the lines with one message.
type counting struct {
	slog.Handler
	message string
	n       *atomic.Int64
}

func count(l *slog.Logger, message string) (*slog.Logger, *atomic.Int64) {
	n := new(atomic.Int64)
	return slog.New(counting{l.Handler(), message, n}), n
}

func (c counting) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == c.message {
		c.n.Add(1)
	}
	return c.Handler.Handle(ctx, r)
}

func (c counting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return counting{c.Handler.WithAttrs(attrs), c.message, c.n}
}

// partitions are a member's, by number.
func (m *member) partitions() (numbers []int32) {
	for _, p := range m.Stats().Partitions {
		numbers = append(numbers, p.Partition)
	}
	return numbers
}

func (m *member) awaitPartitions(t *testing.T, want int) []int32 {
	t.Helper()
	leattest.Within(t, patience, fmt.Sprintf("a member has %d partitions", want), func() error {
		if got := m.partitions(); len(got) != want {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	return m.partitions()
}

// awaitShared waits until each of the members has a share of the topic, and none of it is on its way.
func (r *rig) awaitShared(members ...*member) {
	r.t.Helper()
	leattest.Within(r.t, patience, "all members have their share", func() error {
		held := 0
		for _, m := range members {
			n := len(m.partitions())
			if n == 0 {
				return errors.New("one has none")
			}
			held += n
		}
		if held != r.partitions {
			return fmt.Errorf("%d of %d partitions are held", held, r.partitions)
		}
		return nil
	})
	if !r.b.Real() {
		time.Sleep(10 * time.Second) // kfake keeps a member for ever whose connection breaks while it joins
	}
}

func TestTheGroupIsOfTheProtocolThatWasAsked(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		m := r.start(r.config(consumer.On(r.topic, newLedger().note)))
		m.awaitPartitions(t, 2)
		leattest.Eventually(t, "the brokers describe a group of protocol "+r.protocol, func() error {
			described, err := kadm.NewClient(r.b.Client(t)).DescribeConsumerGroups(t.Context(), r.group)
			if modern := err == nil && described[r.group].Err == nil && len(described[r.group].Members) == 1; modern != (r.protocol == "consumer") {
				return fmt.Errorf("%+v, %w", described[r.group], err)
			}
			return nil
		})
	})
}

// A member stops and is back before its session has ended. What comes meanwhile waits for it: its
// partitions go to nobody, and the other member does not notice.
func TestAStaticMemberThatComesBackMovesNothing(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.InstanceID = "a"
		a := r.start(cfg)
		a.awaitPartitions(t, 4)
		other := cfg
		other.InstanceID = "b"
		var assigned *atomic.Int64
		other.Logger, assigned = count(r.log, "partition assigned")
		b := r.start(other)
		b.awaitPartitions(t, 2)
		before := a.awaitPartitions(t, 2)
		r.send(placed(20, 5)...)
		r.awaitCommitted(100)
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
		var more []any
		for _, e := range placed(20, 10) {
			if e.(Placed).N >= 5 {
				more = append(more, e)
			}
		}
		r.send(more...)
		leattest.Eventually(t, "b's share is handled", func() error {
			if n := done.len(); n <= 100 || r.committedSum() <= 100 {
				return fmt.Errorf("%d effects", n)
			}
			return nil
		})
		a = r.start(cfg)
		after := a.awaitPartitions(t, 2)
		r.awaitCommitted(200)
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("a has %v, had %v", after, before)
		}
		if n := assigned.Load(); n != 2 {
			t.Errorf("b was given %d partitions over all, want its 2", n)
		}
		done.inOrder(t, 20, 10)
	})
}

// One of two processes with one id works, the other says what is wrong; when the first is gone for
// good, the other takes its place.
func TestASecondProcessOfAnInstanceIsToldAndStandsBy(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.InstanceID = "twin"
		first := r.start(cfg)
		first.awaitPartitions(t, 2)
		second := r.start(cfg)
		works, waits := first, second // the brokers keep who is there
		if r.protocol == "classic" {
			works, waits = second, first // the newest wins
		}
		leattest.Eventually(t, "one says what is wrong", func() error {
			if err := waits.Ready(); err == nil || !strings.Contains(err.Error(), "instance twin of group "+r.group) {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		works.awaitPartitions(t, 2)
		r.send(placed(10, 5)...)
		r.awaitCommitted(50)
		leattest.Eventually(t, "the one that works is ready", works.Ready)
		if err := works.stop(); err != nil {
			t.Error(err)
		}
		if r.protocol == "classic" { // or it is waited for
			r.bury(func(kadm.DescribedGroupMember) bool { return true })
		}
		leattest.Within(t, patience, "the other takes over", func() error {
			return errors.Join(waits.Ready(), func() error {
				if n := len(waits.partitions()); n != 2 {
					return fmt.Errorf("%d partitions", n)
				}
				return nil
			}())
		})
		done.inOrder(t, 10, 5)
	})
}

// While no member runs, a group may go over to the other protocol: it goes on where it was.
func TestAnEmptyGroupChangesItsProtocol(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		if !r.b.Real() && r.protocol == "consumer" {
			t.Skip("kfake keeps a group of KIP-848 one for ever")
		}
		done := newLedger()
		first := r.start(r.config(consumer.On(r.topic, done.note)))
		r.send(placed(10, 5)...)
		r.awaitCommitted(50)
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		r.speak(map[string]string{"classic": "consumer", "consumer": "classic"}[r.protocol])
		r.start(r.config(consumer.On(r.topic, done.note)))
		r.send(Placed{Key: "more"})
		r.awaitCommitted(51)
		if n := done.len(); n != 51 {
			t.Errorf("%d effects of 51 events", n)
		}
	})
}

func TestAClusterWithoutTheProtocolIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.Fake(t, broker.FakeConfig{Virtual: true, Opts: []kfake.Opt{kfake.MaxVersions(kversion.V3_9_0())}})
		r := newRig(t, b, 1)
		r.protocol = "consumer"
		c, err := consumer.New(r.config(consumer.On(r.topic, newLedger().note)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Run(ctx); err == nil || !strings.Contains(err.Error(), "Kafka 4.0 or newer") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestTheOperatorDecidesTheProtocolAndTheInstance(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		cfg := r.config(consumer.On(r.topic, newLedger().note))
		cfg.Kafka.Properties = map[string]string{"group.protocol": "consumer", "group.instance.id": "set"}
		cfg.InstanceID = "code"
		if _, err := consumer.New(cfg); err == nil || !strings.Contains(err.Error(), "SessionTimeout has no effect") {
			t.Errorf("New: %v", err)
		}
		cfg.SessionTimeout = 0
		r.start(cfg).awaitPartitions(t, 1)
		described, err := kadm.NewClient(r.b.Client(t)).DescribeConsumerGroups(t.Context(), r.group)
		if err != nil {
			t.Fatal(err)
		}
		members := described[r.group].Members
		if len(members) != 1 || members[0].InstanceID == nil || *members[0].InstanceID != "set" {
			t.Errorf("members %+v, want one, instance set", members)
		}
	})
}
