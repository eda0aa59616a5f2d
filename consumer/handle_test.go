package consumer_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest/broker"
)

func bubble(t *testing.T, partitions int, body func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body(t, newRig(t, broker.Fake(t, broker.FakeConfig{Virtual: true}), partitions))
	})
}

func TestEachKeyIsHandledInOrderAndCommitted(t *testing.T) {
	bubble(t, 3, func(t *testing.T, r *rig) {
		r.send(placed(10, 50)...)
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			done.enter(e.Key())
			defer done.leave(e.Key())
			done.add(e.Key(), e.Data.N)
			return nil
		})))
		done.await(t, 500)
		r.awaitCommitted(500)
		if err := m.Ready(); err != nil {
			t.Error(err)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		done.inOrder(t, 10, 50)
	})
}
