package kafka

import (
	"context"
	"fmt"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

// transactionLog is where coordinators keep what they know of transactions.
const transactionLog = "__transaction_state"

// txnKey names one transaction, with transaction.version 2.
type txnKey struct {
	producer int64
	epoch    int16
}

// readEnds reads from the coordinator's log how the id's transactions ended, as far back as compaction
// has left it.
func readEnds(ctx context.Context, cl *kgo.Client, id string) (map[txnKey]end, error) {
	partition, err := coordinatorPartition(ctx, cl, id)
	if err != nil {
		return nil, err
	}
	f := newTxnLog()
	err = readPartition(ctx, cl, transactionLog, partition, 0, func(w leat.Wire) error {
		var key kmsg.TxnMetadataKey
		if err := key.ReadFrom(w.Key()); err != nil || key.TransactionalID != id {
			return nil //nolint:nilerr // a record of another kind
		}
		if w.Value() == nil { // the coordinator has forgotten the id
			return nil
		}
		var value kmsg.TxnMetadataValue
		if err := value.ReadFrom(w.Value()); err != nil {
			return fmt.Errorf("parse the record at %v: %w", w.Position(), err)
		}
		f.add(&value)
		return nil
	})
	return f.ends, err
}

// txnLog folds the states of one transactional id into how its transactions ended.
type txnLog struct {
	ends map[txnKey]end
	open txnKey // the one that is ongoing, or none
}

// none is no transaction: an end that follows it is that of an empty one, and says nothing of the last.
var none = txnKey{-1, -1}

func newTxnLog() *txnLog { return &txnLog{map[txnKey]end{}, none} }

// add takes the next state. An end raises the epoch by one, and by two where the coordinator fenced
// the producer, at a takeover or the timeout: so the record before it says which transaction it ends.
func (f *txnLog) add(v *kmsg.TxnMetadataValue) {
	of := txnKey{v.ProducerID, v.ProducerEpoch}
	end := abort
	if v.State == kmsg.TransactionStatePrepareCommit || v.State == kmsg.TransactionStateCompleteCommit {
		end = commit
	}
	switch v.State {
	case kmsg.TransactionStateOngoing:
		f.open = of
	case kmsg.TransactionStatePrepareCommit, kmsg.TransactionStatePrepareAbort:
		if f.open.producer == of.producer {
			f.ends[f.open] = end
		}
		f.open = none
		fallthrough
	case kmsg.TransactionStateCompleteCommit, kmsg.TransactionStateCompleteAbort:
		of.epoch--
		f.ends[of] = end // all that is left of it where the log was compacted
	}
}

// coordinatorPartition is the partition of the log that holds the id: Java's hash of it.
func coordinatorPartition(ctx context.Context, cl *kgo.Client, id string) (int32, error) {
	req, topic := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	name := transactionLog
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return 0, err
		}
		if n := int32(len(t.Partitions)); n > 0 {
			return javaHash(id) & 0x7fffffff % n, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", transactionLog, ErrNoTopic)
}

func javaHash(s string) (h int32) {
	for _, c := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(c)
	}
	return h
}
