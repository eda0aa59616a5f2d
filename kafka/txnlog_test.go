package kafka

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestTheCoordinatorsLogSaysHowTransactionsEnded(t *testing.T) {
	t.Parallel()
	const (
		ongoing       = kmsg.TransactionStateOngoing
		prepareCommit = kmsg.TransactionStatePrepareCommit
		prepareAbort  = kmsg.TransactionStatePrepareAbort
		committed     = kmsg.TransactionStateCompleteCommit
		aborted       = kmsg.TransactionStateCompleteAbort
	)
	type record struct {
		epoch int16
		state kmsg.TransactionState
	}
	for name, c := range map[string]struct {
		log  []record
		want map[int16]end
	}{
		"committed":                    {[]record{{3, ongoing}, {4, prepareCommit}, {4, committed}}, map[int16]end{3: commit}},
		"aborted for an heir":          {[]record{{3, ongoing}, {5, prepareAbort}, {5, aborted}}, map[int16]end{3: abort, 4: abort}},
		"committed, then an empty one": {[]record{{3, ongoing}, {4, prepareCommit}, {4, committed}, {5, prepareAbort}, {5, aborted}}, map[int16]end{3: commit, 4: abort}},
		"what compaction left":         {[]record{{4, committed}}, map[int16]end{3: commit}},
		"ongoing":                      {[]record{{4, committed}, {4, ongoing}}, map[int16]end{3: commit}},
	} {
		f := newTxnLog()
		for _, r := range c.log {
			f.add(&kmsg.TxnMetadataValue{ProducerID: 7, ProducerEpoch: r.epoch, State: r.state})
		}
		got := map[int16]end{}
		for of, how := range f.ends {
			got[of.epoch] = how
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
