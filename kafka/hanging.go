package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrHanging says that partitions take a transaction for open that has ended for its coordinator:
// Kafka has left its markers out, and no timeout ends it. Readers of what is committed stand still.
var ErrHanging = errors.New("a transaction hangs: it has ended, and its markers are missing")

const (
	settleWithin = 30 * time.Second // the coordinator writes the markers of a transaction
	lookAgain    = 30 * time.Second // at partitions that were out of sight
	mendTries    = 5
	ongoing      = "Ongoing" // the coordinator's state of an open transaction
)

// mender writes the markers that Kafka left out of one transactional id's transactions. A coordinator
// that finds a partition without a leader takes it for deleted, and the transaction for complete.
// Everything here rests on transaction.version 2, by which each transaction has its own epoch.
type mender struct {
	cl  *kgo.Client
	id  string
	log *slog.Logger
}

// mend looks through the topics, or all that there are, and ends what hangs in them. It returns the
// coordinator's state before, "" if it does not know the id, and whether some partition was out of
// sight.
func (m *mender) mend(ctx context.Context, topics []string) (state string, blind bool, err error) {
	for range mendTries {
		f, err := m.find(ctx, topics)
		if err != nil || len(f.open) == 0 {
			return f.state, f.blind, err
		}
		if i := slices.IndexFunc(f.open, func(o openTxn) bool { return o.end == "" }); i >= 0 {
			return "", false, m.unknown(f.open[i:i+1], f.log)
		}
		if err := m.write(ctx, f.open); err != nil {
			return "", false, err
		}
	}
	return "", false, fmt.Errorf("%w: those of %s are still open after %d tries", ErrHanging, m.id, mendTries)
}

// finding is what hangs of an id.
type finding struct {
	state string // of the coordinator; "": it does not know the id
	open  []openTxn
	blind bool  // some partition was out of sight
	log   error // why the coordinator's log could not be read where only it would say how something ended
}

func (m *mender) find(ctx context.Context, topics []string) (f finding, err error) {
	said, err := m.settled(ctx)
	if err != nil || said == nil {
		return f, err
	}
	f.state = said.State
	if f.state == ongoing { // it does not say yet which epoch will end, and how
		return f, nil
	}
	look := &look{cl: m.cl, log: m.log}
	f.open, err = look.at(ctx, topics, func(o openTxn) bool { return o.producer == said.ProducerID && o.epoch < said.ProducerEpoch })
	if err != nil {
		return f, fmt.Errorf("look for hanging transactions of %s: %w", m.id, err)
	}
	f.blind = len(look.todo) > 0
	f.log = m.decide(ctx, said, f.open)
	return f, nil
}

// settled is what the coordinator says of the id once it does not write markers itself; nil if it
// does not know the id, or the user may not ask.
func (m *mender) settled(ctx context.Context) (*kmsg.DescribeTransactionsResponseTransactionState, error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		said, err := m.describe(ctx)
		switch {
		case errors.Is(err, kerr.TransactionalIDNotFound), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
			return nil, nil
		case err == nil && !strings.HasPrefix(said.State, "Prepare"):
			return said, nil
		case err != nil && !IsAway(err):
			return nil, fmt.Errorf("ask what became of the transactions of %s: %w", m.id, err)
		}
		if perr := pause(ctx, jitter(50*time.Millisecond)); perr != nil {
			if err == nil {
				err = fmt.Errorf("in state %s it waits for the markers of %v", said.State, said.Topics)
			}
			return nil, fmt.Errorf("wait for the coordinator to end the transaction of %s: %w: %w", m.id, err, perr)
		}
	}
}

func (m *mender) describe(ctx context.Context) (*kmsg.DescribeTransactionsResponseTransactionState, error) {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{m.id}
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return nil, err
	}
	for i := range resp.TransactionStates {
		return &resp.TransactionStates[i], kerr.ErrorForCode(resp.TransactionStates[i].ErrorCode)
	}
	return nil, errors.New("the coordinator's answer is empty")
}

// decide finds out how each of the transactions ended: from the coordinator's state, which is the last
// one's alone, else from its log. Its error says that the log can't be read.
func (m *mender) decide(ctx context.Context, said *kmsg.DescribeTransactionsResponseTransactionState, open []openTxn) (err error) {
	var ends map[txnKey]end
	for i := range open {
		o := &open[i]
		last := o.epoch == said.ProducerEpoch-1
		switch {
		case last && said.State == "CompleteCommit":
			o.end = commit
		case last && said.State == "CompleteAbort":
			o.end = abort
		default:
			if ends == nil {
				ends, err = readEnds(ctx, m.cl, m.id)
			}
			o.end = ends[txnKey{o.producer, o.epoch}]
		}
	}
	return err
}

// unknown is the error where nobody says how a transaction ended.
func (m *mender) unknown(open []openTxn, log error) error {
	if log != nil {
		return m.stuck(open, "only "+transactionLog+" says how it ended: "+log.Error(), "let this user Read "+transactionLog+", or run as a user who may: leat transaction mend "+m.id)
	}
	return m.stuck(open, "the coordinator does not know any more how it ended", "find out whether its events count; kafka-transactions.sh abort drops them")
}

// write writes the markers. One that a partition no longer takes, since it has a newer epoch or
// another leader, is no error: the next look shows what is left.
func (m *mender) write(ctx context.Context, open []openTxn) error {
	type request struct {
		leader int32
		epoch  int16
		end    end
	}
	by, coordinator := map[request][]openTxn{}, int32(0)
	for _, o := range open {
		r := request{o.leader, o.epoch, o.end}
		by[r] = append(by[r], o)
		coordinator = max(coordinator, o.coordinator) // a marker of an older coordinator is refused
	}
	for r, part := range by {
		marker := kmsg.NewWriteTxnMarkersRequestMarker()
		marker.ProducerID, marker.ProducerEpoch, marker.Committed, marker.CoordinatorEpoch = part[0].producer, r.epoch, r.end == commit, coordinator
		for _, o := range part {
			t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
			t.Topic, t.Partitions = o.topic, []int32{o.partition}
			marker.Topics = append(marker.Topics, t)
		}
		req := kmsg.NewPtrWriteTxnMarkersRequest()
		req.Markers = append(req.Markers, marker)
		resp, err := m.cl.Broker(int(r.leader)).Request(ctx, req)
		if err == nil {
			err = m.written(resp.(*kmsg.WriteTxnMarkersResponse), part)
		}
		switch {
		case errors.Is(err, kerr.ClusterAuthorizationFailed):
			return m.stuck(open, "this user may not write its markers",
				"let it Alter the cluster, or run as a user who may: leat transaction mend "+m.id+" --yes; kafka-transactions.sh would abort, which loses what was committed")
		case err != nil && !IsAway(err) && !errors.Is(err, kerr.InvalidProducerEpoch):
			return fmt.Errorf("write the missing markers of %s: %w", m.id, err)
		case err != nil:
			if err := pause(ctx, jitter(200*time.Millisecond)); err != nil {
				return fmt.Errorf("write the missing markers of %s: %w", m.id, err)
			}
		}
	}
	return nil
}

// written tells of each marker that was written, and returns the first error.
func (m *mender) written(resp *kmsg.WriteTxnMarkersResponse, open []openTxn) (err error) {
	for _, marker := range resp.Markers {
		for _, t := range marker.Topics {
			for _, p := range t.Partitions {
				if failed := kerr.ErrorForCode(p.ErrorCode); failed != nil {
					if err == nil {
						err = failed
					}
					continue
				}
				for _, o := range open {
					if o.topic == t.Topic && o.partition == p.Partition {
						m.log.Warn("a transaction hung: Kafka had left its markers out; they are written", "transactional_id", m.id,
							"topic", o.topic, "partition", o.partition, "offset", o.from, "end", o.end)
					}
				}
			}
		}
	}
	return err
}

// stuck is the error where a person has to help.
func (m *mender) stuck(open []openTxn, why, hint string) error {
	var places []string
	for _, o := range open {
		places = append(places, o.String())
	}
	return &Error{
		Op: "end the transactions of " + m.id, Partition: -1, Hint: hint,
		Err: fmt.Errorf("%w: %s: %s", ErrHanging, strings.Join(places, ", "), why),
	}
}
