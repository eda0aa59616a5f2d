package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

func TestAGroupThatParksNothingTakesItsLettersBackAlone(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"redrive.appended", "redrive.committed"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			broker.Each(t, func(t *testing.T, b *broker.Broker) {
				r := newRig(t, b)
				others := r.bystander(t, b)
				b.CreateTopic(t, leat.RedriveTopic(r.topic.Name, r.group), 1, nil)
				r.letters(t, 3)
				r.failing(1)
				if !killed(r.job(redrive.Redriven), point) {
					t.Fatalf("the job never came to %s", point)
				}
				if point == "redrive.committed" || !r.client.Embedded() { // else what was killed is there, and not noted
					if _, err := r.job(redrive.Redriven).Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					r.states(t, redrive.Done, redrive.DeadAgain, redrive.Done)
					r.effects(t, 3, 4, 0, 2)
				} else {
					r.effects(t, 3, 4, 0, 2)
				}
				r.failing()
				j := r.job(redrive.Redriven)
				j.Wait = true
				if _, err := j.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.states(t, redrive.Done, redrive.Done, redrive.Done)
				seen(t, others, 5)
				r.mu.Lock()
				defer r.mu.Unlock()
				if len(r.from) != 5 || !r.from[leat.Position{Topic: r.topic.Name, Offset: 1}] {
					t.Errorf("the events lay at %v, want the five places at their source", r.from)
				}
			})
		})
	}
}

// On the embedded broker a killed tool leaves events that went back without a note of it. What became of
// them is told all the same, in the first round and in the second.
func TestWhatWentBackWithoutANoteIsFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Fake(t, broker.FakeConfig{Opts: []kfake.Opt{kfake.ClusterID(kafka.EmbeddedPrefix + "test")}}))
	r.letters(t, 3)
	if r.failing(2); !killed(r.job(redrive.Redriven), "redrive.appended") {
		t.Fatal("the job wrote nothing")
	}
	r.states(t, redrive.Done, redrive.Done, redrive.DeadAgain)
	if _, err := r.job(redrive.Redriven).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.states(t, redrive.Done, redrive.Done, redrive.DeadAgain)
	if r.failing(); !killed(r.job(redrive.Redriven), "redrive.appended") {
		t.Fatal("the job wrote nothing")
	}
	r.states(t, redrive.Done, redrive.Done, redrive.Done)
	if n, err := r.job(redrive.Redriven).Run(t.Context()); err != nil || n.Of != 0 { // and notes what became of them
		t.Errorf("again: %+v (%v), want nothing to do", n, err)
	}
	r.states(t, redrive.Done, redrive.Done, redrive.Done)
	r.effects(t, 3, 4, 0, 1, 2)
}

// What came back and is discarded then stays discarded: nothing says that its event took effect, or that
// somebody has still to look at it.
func TestWhatCameBackAndIsDiscardedStaysSo(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"embedded": kafka.EmbeddedPrefix + "test", "Kafka": "test"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, broker.Fake(t, broker.FakeConfig{Opts: []kfake.Opt{kfake.ClusterID(id)}}))
			r.letters(t, 3)
			r.failing(1)
			j := r.job(redrive.Redriven)
			j.Wait = true
			if n, err := j.Run(t.Context()); err != nil || n.Again != 1 {
				t.Fatalf("redrive: %+v, %v, want one that came back", n, err)
			}
			r.states(t, redrive.Done, redrive.DeadAgain, redrive.Done)
			if n, err := r.job(redrive.Discarded).Run(t.Context()); err != nil || n.Done != 1 {
				t.Fatalf("discard: %+v, %v", n, err)
			}
			r.states(t, redrive.Done, redrive.Dropped, redrive.Done)
			if n, err := r.job(redrive.Redriven).Run(t.Context()); err != nil || n.Of != 0 {
				t.Errorf("again: %+v, %v, want nothing to do", n, err)
			}
			r.states(t, redrive.Done, redrive.Dropped, redrive.Done)
		})
	}
}

// bystander is another group on the topic, and how many events it has seen.
func (r *rig) bystander(t *testing.T, b *broker.Broker) *atomic.Int64 {
	t.Helper()
	seen := new(atomic.Int64)
	c, err := consumer.New(consumer.Config{
		Group: b.Name("bystander"), Kafka: b.Config(), Logger: slog.New(slog.DiscardHandler),
		Handlers: []leat.Handler{consumer.On(r.topic, func(context.Context, *leat.Event[placed]) error { seen.Add(1); return nil })},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return seen
}

// seen waits until another group has seen the events of the source, and no other.
func seen(t *testing.T, others *atomic.Int64, want int64) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprintf("another group has seen %d events", want), func() error {
		if n := others.Load(); n != want {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}

func TestAGroupWithoutLettersHasNothingToGiveBack(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	client, err := kafka.Open(t.Context(), b.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := (redrive.Job{Client: client, Group: "g", Topic: "t", Act: redrive.Redriven}).Run(t.Context()); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("got %v, want ErrNoTopic", err)
	}
}
