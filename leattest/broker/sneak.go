package broker

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Lax are the properties of a broker that takes records of a transaction whose coordinator was not told
// of the partition. When the transaction ends, that partition gets no marker, as one that has no leader
// at that moment.
var Lax = map[string]string{"transaction.partition.verification.enable": "false"}

// Sneak writes a record to the partition as part of the id's open transaction, behind the coordinator's
// back. The broker has to be Lax.
func (b *Broker) Sneak(t testing.TB, id, topic string, partition int32, key, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	described, err := kadm.NewClient(b.Client(t)).DescribeTransactions(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	tx := described[id]
	if tx.State != "Ongoing" {
		t.Fatalf("the transaction is %s", tx.State)
	}
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(0, 11) // from 12 on the broker tells the coordinator itself
	cl := b.Client(t, kgo.MaxVersions(versions))
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis = &id, -1, 10_000
	rt, rp := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Records = topic, partition, transactionalBatch(tx.ProducerID, tx.ProducerEpoch, key, value)
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	raw, err := cl.Broker(1).Request(ctx, req)
	if err == nil {
		err = kerr.ErrorForCode(raw.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("write behind the coordinator's back: %v", err)
	}
}

func transactionalBatch(producer int64, epoch int16, key, value string) []byte {
	rec := kmsg.Record{Key: []byte(key), Value: []byte(value)}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1)
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: 1 << 4, FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: producer, ProducerEpoch: epoch, NumRecords: 1, Records: rec.AppendTo(nil),
	}
	bytes := b.AppendTo(nil)
	binary.BigEndian.PutUint32(bytes[8:], uint32(len(bytes)-12))
	binary.BigEndian.PutUint32(bytes[17:], crc32.Checksum(bytes[21:], crc32.MakeTable(crc32.Castagnoli)))
	return bytes
}
