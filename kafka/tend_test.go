package kafka

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A record that came into a partition before the last transaction's marker would end with that
// transaction's records, whichever way.
func TestNothingIsWrittenBeforeTheLastMarkersAreThere(t *testing.T) {
	t.Parallel()
	const topic, late = "things", 3
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	tx, err := OpenTransactor(t.Context(), Config{Brokers: cluster.ListenAddrs()}, TransactorConfig{ID: "markers", Pause: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	var asked, early atomic.Int32
	write := func() {
		t.Helper()
		if err := tx.Begin(); err != nil {
			t.Fatal(err)
		}
		records := []Raw{{Topic: topic, Partition: 0, Value: []byte("a")}, {Topic: topic, Partition: 1, Value: []byte("b")}, {Topic: topic, Partition: 0, Value: []byte("c")}}
		if err := tx.Produce(t.Context(), nil, records...); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write()
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if asked.Load() < late {
			early.Add(1)
		}
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if req.IsolationLevel != committed || asked.Add(1) > late {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, asks := range req.Topics {
			said := kmsg.NewListOffsetsResponseTopic()
			said.Topic = asks.Topic
			for _, p := range asks.Partitions {
				at := kmsg.NewListOffsetsResponseTopicPartition()
				at.Partition, at.Offset = p.Partition, int64(p.Partition) // of partition 0 the first record is not stable, of 1 all
				said.Partitions = append(said.Partitions, at)
			}
			resp.Topics = append(resp.Topics, said)
		}
		return resp, nil, true
	})
	write()
	if asked.Load() <= late || early.Load() > 0 {
		t.Errorf("%d requests wrote before the markers were seen, which were asked for %d times", early.Load(), asked.Load())
	}
	before := asked.Load()
	write()
	if n := asked.Load() - before; n != 1 {
		t.Errorf("markers that are there were asked for %d times, want once", n)
	}
}
