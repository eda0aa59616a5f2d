package consumer_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
)

// The event that finds the infrastructure away is the one that is to find it back. A dead letter of its key
// that goes back meanwhile runs before it.
func TestARedriveWhileTheInfrastructureIsAwayLeavesNobodyStanding(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		l := newLedger()
		var mended, away atomic.Bool
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{}}, func(ctx context.Context, e *leat.Event[Placed]) error {
			switch {
			case away.Load():
				return leat.Unavailable(errors.New("away"))
			case e.Data.N == 0 && !mended.Load():
				return leat.Permanent(errors.New("no"))
			}
			return l.note(ctx, e)
		}))
		r.send(Placed{Key: "k", N: 0})
		leattest.Eventually(t, "a dead letter", func() error {
			if len(r.deadLetters()) == 0 {
				return errors.New("none")
			}
			return nil
		})
		r.awaitUnparked(m) // the key is nobody's again: its next event is not asked about
		away.Store(true)
		mended.Store(true)
		r.send(Placed{Key: "k", N: 1}, Placed{Key: "other", N: 0})
		time.Sleep(10 * time.Second)
		client, err := kafka.Open(t.Context(), r.kafka())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if done, err := (redrive.Job{Client: client, Group: r.group, Topic: r.topic.Name, Act: redrive.Redriven, By: "test"}).Run(t.Context()); err != nil || done.Done != 1 {
			t.Fatalf("redriven %d letters (%v), want 1", done.Done, err)
		}
		time.Sleep(20 * time.Second)
		away.Store(false)
		l.await(t, 3)
		r.awaitCommitted(3)
		if got := l.byKey["k"]; !slices.Equal(got, []int{0, 1}) {
			t.Errorf("effects of the key: %v", got)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}
