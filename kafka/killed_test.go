package kafka_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

// errDied says that a transactor was dropped in the middle of a transaction.
var errDied = errors.New("died")

// A transaction is committed, and the next one's records are on their way, when the only broker is killed:
// it may leave the first one's markers out. The second is never committed, and the next transactor aborts it.
func TestWhatWasCommittedStaysWhenTheBrokerIsKilledRightThen(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills a server of its own: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	topic, id := b.CreateTopic(t, b.Name("things"), 6, nil), b.Name("relay")
	committed, doubt := map[string]bool{}, map[string]bool{}
	for round := range 10 {
		tx := opened(t, config(b), kafka.TransactorConfig{ID: id, Timeout: time.Minute})
		killed, back := make(chan struct{}), make(chan error, 1)
		after := 300*time.Millisecond + rand.N(30*time.Millisecond)
		go func() { // ends with the receive below
			<-time.After(after)
			close(killed)
			err := k.Kill(1)
			if err == nil {
				err = k.Restart(t.Context(), 1)
			}
			back <- err
		}()
		write := func(name string) error {
			if err := tx.Begin(); err != nil {
				return err
			}
			var records []kafka.Raw
			for i := range 12 {
				records = append(records, kafka.Raw{Topic: topic, Partition: int32(i % 6), Value: fmt.Append(nil, name, "/", i)})
			}
			if err := tx.Produce(t.Context(), nil, records...); err != nil {
				return err
			}
			select {
			case <-killed:
				return errors.Join(errDied, tx.Flush(t.Context()))
			default:
				return tx.Commit(t.Context())
			}
		}
		for n := 0; ; n++ {
			name := fmt.Sprintf("%d-%d", round, n)
			err := write(name)
			if err == nil {
				committed[name] = true
				continue
			}
			doubt[name] = !errors.Is(err, errDied)
			break
		}
		if err := <-back; err != nil {
			t.Fatal(err)
		}
		tx.Close()
	}
	opened(t, config(b), kafka.TransactorConfig{ID: id, Timeout: time.Minute}).Close()
	got := map[string]int{}
	for _, v := range values(t, b, topic) {
		got[v]++
	}
	for name := range committed {
		for i := range 12 {
			if n := got[fmt.Sprint(name, "/", i)]; n != 1 {
				t.Errorf("%s/%d was committed and is there %d times", name, i, n)
			}
			delete(got, fmt.Sprint(name, "/", i))
		}
	}
	for name, may := range doubt {
		for i := range 12 {
			if n := got[fmt.Sprint(name, "/", i)]; n > 0 && !may || n > 1 {
				t.Errorf("%s/%d was not committed and is there %d times", name, i, n)
			}
			delete(got, fmt.Sprint(name, "/", i))
		}
	}
	if len(got) > 0 {
		t.Errorf("values of nobody: %v", got)
	}
	t.Logf("%d transactions were committed", len(committed))
}
