package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// byKey is the partition of a record that goes where its key sends it.
const byKey = -1

// named says of a record of this package's own making whether it names its partition.
func named(r *kgo.Record) bool { return r.Partition > byKey }

// ours marks the context of records of which named may be asked: to the client that Kgo hands out others
// give theirs too, whose partition is 0 where they thought of none.
type ours struct{}

func namedByUs(r *kgo.Record) bool { return named(r) && r.Context.Value(ours{}) != nil }

// addressed keeps the partition of a record that names one, and asks the partitioner for the rest.
type addressed struct {
	kgo.Partitioner

	names func(*kgo.Record) bool
}

// ForTopic is the partitioner of one topic.
func (a addressed) ForTopic(topic string) kgo.TopicPartitioner {
	return &addressedTopic{a.Partitioner.ForTopic(topic), a.names}
}

type addressedTopic struct {
	inner kgo.TopicPartitioner
	names func(*kgo.Record) bool
}

// RequiresConsistency is true for keyed records and for those that name their partition.
func (a *addressedTopic) RequiresConsistency(r *kgo.Record) bool {
	return a.names(r) || a.inner.RequiresConsistency(r)
}

// Partition is the record's own, or the inner partitioner's choice.
func (a *addressedTopic) Partition(r *kgo.Record, n int) int {
	if a.names(r) {
		return int(r.Partition)
	}
	return a.inner.Partition(r, n)
}

// PartitionByBackup is Partition for partitioners that weigh what is buffered.
func (a *addressedTopic) PartitionByBackup(r *kgo.Record, n int, backup kgo.TopicBackupIter) int {
	if weighing, ok := a.inner.(kgo.TopicBackupPartitioner); ok && !a.names(r) {
		return weighing.PartitionByBackup(r, n, backup)
	}
	return a.Partition(r, n)
}

// OnNewBatch passes the notice on.
func (a *addressedTopic) OnNewBatch() {
	if inner, ok := a.inner.(kgo.TopicPartitionerOnNewBatch); ok {
		inner.OnNewBatch()
	}
}
