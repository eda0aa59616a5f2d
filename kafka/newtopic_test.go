package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
)

// TestCommitWaitsForTheClientToKnowANewTopic has a client that learns of a topic only after it said that
// the topic's first records are acknowledged.
func TestCommitWaitsForTheClientToKnowANewTopic(t *testing.T) {
	t.Parallel()
	const topic = "things"
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	tx, err := OpenTransactor(t.Context(), Config{Brokers: cluster.ListenAddrs()}, TransactorConfig{ID: "new-topic"})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	asked := 0
	tx.leader = func(topic string, partition int32) (int32, int32, error) {
		if asked < 3 {
			asked++
			return -1, -1, nil
		}
		leader, epoch, err := tx.cl.PartitionLeader(topic, partition)
		if leader >= 0 {
			asked++
		}
		return leader, epoch, err
	}
	for range 2 {
		if err := tx.Begin(); err != nil {
			t.Fatal(err)
		}
		if err := tx.Produce(t.Context(), nil, Raw{Topic: topic, Partition: byKey, Key: []byte("k"), Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked < 4 {
			t.Errorf("committed after asking %d times: before the client knew the topic", asked)
		}
	}
	if asked > 5 {
		t.Errorf("asked %d times: a topic is learned once", asked)
	}
	end, err := kadm.NewClient(tx.cl).ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := end.Lookup(topic, 0); at.Offset != 4 { // two records, two markers
		t.Errorf("what is committed ends at %d, want 4", at.Offset)
	}
}
