package consumer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// awaitLag waits until the lags of all partitions sum up to want, and returns the largest time lag.
func (m *member) awaitLag(t *testing.T, partitions int, want int64) (age time.Duration) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprintf("the lag is %d", want), func() error {
		var sum int64
		age = 0
		all := m.Stats().Partitions
		for _, p := range all {
			sum += p.Lag
			age = max(age, p.TimeLag)
		}
		if len(all) != partitions || sum != want {
			return fmt.Errorf("%+v", all)
		}
		return nil
	})
	return age
}

func TestTheLagIsKnownBeforeTheFirstFetch(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(10, 5)...)
		r.b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 3})
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, done.note)))
		m.awaitPartitions(t, 2)
		began := time.Now()
		m.awaitLag(t, 2, 50)
		if took := time.Since(began); took > time.Second || done.len() > 0 {
			t.Errorf("known after %v, with %d events handled", took, done.len())
		}
		r.awaitCommitted(50)
		if age := m.awaitLag(t, 2, 0); age != 0 {
			t.Errorf("time lag %v where nothing is left", age)
		}
	})
}

func TestMarkersAndAbortedEventsAreNoLag(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		cl := r.b.Client(t, kgo.TransactionalID(r.b.Name("tx")))
		for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			r.begin(cl, placed(5, 2)...)
			if err := cl.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		done, hold := newLedger(), newGate(t)
		m := r.start(r.config(consumer.On(r.topic, holdingKeys(done, hold, "k0", "k1", "k2", "k3", "k4"), consumer.Timeout(-1))))
		m.awaitLag(t, 1, 20) // of 44 records
		hold.open()
		m.awaitLag(t, 1, 0)
		r.awaitCommitted(44)
	})
}

func TestTheTimeLagIsTheAgeOfTheOldestUnfinishedEvent(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		records := r.records(Placed{Key: "a"}, Placed{Key: "slow"}, Placed{Key: "b"})
		for i, age := range []time.Duration{3 * time.Hour, time.Hour, time.Minute} {
			records[i].Timestamp = time.Now().Add(-age)
		}
		// A client with a delivery timeout takes so old a record for overdue.
		if err := r.b.Client(t).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		done, hold := newLedger(), newGate(t)
		m := r.start(r.config(consumer.On(r.topic, holdingKeys(done, hold, "slow"), consumer.Timeout(-1))))
		done.await(t, 2)
		if age := m.awaitLag(t, 1, 1); age < time.Hour || age > time.Since(records[1].Timestamp.Truncate(time.Millisecond)) {
			t.Errorf("time lag %v, want an hour", age)
		}
		hold.open()
		if age := m.awaitLag(t, 1, 0); age != 0 {
			t.Errorf("time lag %v where nothing is left", age)
		}
	})
}

func TestAnOpenTransactionThatKeepsEventsBackIsTold(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(1, 1)...)
		cl := r.b.Client(t, kgo.TransactionalID(r.b.Name("tx")), kgo.TransactionTimeout(5*time.Minute))
		r.begin(cl, placed(1, 2)...)
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, done.note)))
		undecided := func(holds bool) {
			t.Helper()
			leattest.Eventually(t, fmt.Sprintf("undecided: %v", holds), func() error {
				if all := m.Stats().Partitions; len(all) != 1 || all[0].Undecided > 0 != holds {
					return fmt.Errorf("%+v", all)
				}
				return nil
			})
		}
		undecided(true)
		m.awaitLag(t, 1, 0)
		if n := done.len(); n != 1 {
			t.Errorf("%d events were handled before the transaction ended", n)
		}
		if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		done.await(t, 3)
		undecided(false)
	})
}
