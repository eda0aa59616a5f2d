package kafka

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Hang is a transaction that has ended and that a partition takes for open: see [ErrHanging].
type Hang struct {
	TransactionalID string
	Topic           string
	Partition       int32
	Offset          int64     // its first in the partition
	Last            time.Time // when its producer last wrote there
	End             string    // how it ended: commit or abort; "" where the cluster does not know, or does not tell this user

	open openTxn
}

// Hangs finds what hangs, of the transactional ids or of all that this user may describe, leat's or
// not, in the topics that it may read. It needs transaction.version 2.
func (c *Client) Hangs(ctx context.Context, ids ...string) ([]Hang, error) {
	version, err := transactionVersion(ctx, c.kgo)
	if err != nil {
		return nil, err
	}
	if version < 2 {
		return nil, fmt.Errorf("look for hanging transactions: the cluster's transaction.version is %d: below 2 they can't be told from those that run", version)
	}
	open, err := (&look{cl: c.kgo, log: c.log}).at(ctx, nil, func(openTxn) bool { return true })
	if err != nil {
		return nil, fmt.Errorf("look for open transactions: %w", err)
	}
	if len(open) == 0 {
		return nil, nil
	}
	topics := map[int64]map[string]bool{}
	for _, o := range open {
		if topics[o.producer] == nil {
			topics[o.producer] = map[string]bool{}
		}
		topics[o.producer][o.topic] = true
	}
	known, err := c.adm.ListTransactions(ctx, slices.Collect(maps.Keys(topics)), nil)
	if err != nil {
		return nil, fmt.Errorf("list the transactional ids: %w", err)
	}
	var hangs []Hang
	for _, t := range known.Sorted() {
		if len(topics[t.ProducerID]) == 0 || len(ids) > 0 && !slices.Contains(ids, t.TxnID) {
			continue
		}
		m := &mender{cl: c.kgo, id: t.TxnID, log: c.log}
		f, err := m.find(ctx, slices.Collect(maps.Keys(topics[t.ProducerID])))
		if err != nil {
			return nil, err
		}
		for _, o := range f.open {
			hangs = append(hangs, Hang{m.id, o.topic, o.partition, o.from, o.last, string(o.end), o})
		}
	}
	slices.SortFunc(hangs, func(a, b Hang) int {
		return cmp.Or(cmp.Compare(a.TransactionalID, b.TransactionalID), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return hangs, nil
}

// Mend writes the missing markers of what Hangs has found, where it is known how it ended. It needs
// Alter on the cluster.
func (c *Client) Mend(ctx context.Context, hangs []Hang) error {
	open := map[string][]openTxn{}
	for _, h := range hangs {
		if h.End != "" {
			open[h.TransactionalID] = append(open[h.TransactionalID], h.open)
		}
	}
	for id, open := range open {
		m := &mender{cl: c.kgo, id: id, log: c.log}
		if err := m.write(ctx, open); err != nil {
			return err
		}
	}
	return nil
}
