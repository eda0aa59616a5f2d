package kafka

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Keeper looks after the transactions of one transactional client: what Kafka leaves open of those that
// have ended, it ends as they did, or says [ErrHanging]. A Transactor has one; a client of one's own
// takes it as a hook (kgo.WithHooks). Its methods are for the goroutine that writes the transactions.
type Keeper struct {
	id      string
	log     *slog.Logger
	version int         // the cluster's transaction.version; 0: not asked yet, or none
	cut     atomic.Bool // a connection broke
	unseen  time.Time   // when to look again at partitions that were out of sight; zero: none was

	wrote map[place]int64 // last offsets of the transaction that has ended, until its markers are known to be there
}

// NewKeeper makes one for a transactional id.
func NewKeeper(id string, log *slog.Logger) *Keeper {
	return &Keeper{id: id, log: log, wrote: map[place]int64{}}
}

// Wrote notes where a transaction that has ended wrote, the last offset of each partition. The next Tend
// returns when its markers are there.
func (k *Keeper) Wrote(topic string, partition int32, offset int64) {
	k.wrote[place{topic, partition}] = offset
}

// OnBrokerDisconnect is franz-go's hook. It is also called for connections that were idle.
func (k *Keeper) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { k.cut.Store(true) }

// TakeOver takes the transactional id over. It ends what hangs in the topics, none: in all that the user
// sees, before the coordinator forgets how it ended, and once more where that ended an open
// transaction: its markers can have been left out too.
func (k *Keeper) TakeOver(ctx context.Context, cl *kgo.Client, topics ...string) (err error) {
	if k.version == 0 {
		if k.version, err = transactionVersion(ctx, cl); err != nil {
			return err
		}
	}
	state, err := k.mend(ctx, cl, topics)
	if err == nil {
		_, _, err = cl.ProducerID(ctx)
	}
	if err == nil && state == ongoing {
		_, err = k.mend(ctx, cl, topics)
	}
	return err
}

// Tend ends what hangs in the topics: since a connection broke, or where the markers of the last
// transaction do not come (see Wrote). Between transactions only: what is written into a partition next
// becomes one with what hangs there, and ends as that does. No connection needs to break first:
//
//	a transaction is committed, and Kafka killed, or frozen, before it writes the markers
//	the next record is handed to the client, which knows nothing of that
//	Kafka is back, leaves the markers out, and takes the record
//	the heir of a relay that ends now aborts the one transaction that the partition sees
func (k *Keeper) Tend(ctx context.Context, cl *kgo.Client, topics ...string) error {
	marked := k.version < 2 || k.marked(ctx, cl)
	if !k.cut.CompareAndSwap(true, false) && marked && (k.unseen.IsZero() || time.Now().Before(k.unseen)) {
		clear(k.wrote)
		return nil
	}
	_, err := k.mend(ctx, cl, topics)
	if err == nil && !marked && !k.unseen.IsZero() && !k.marked(ctx, cl) {
		err = fmt.Errorf("%w, or can't be seen yet: what was committed last can't be told from what comes next", ErrHanging)
	}
	clear(k.wrote)
	return err
}

// markersWithin is how long the markers of a transaction may take before it is asked what became of them.
const markersWithin = 50 * time.Millisecond

// marked waits a moment for the markers of the transaction that has ended, and says whether all are there.
func (k *Keeper) marked(ctx context.Context, cl *kgo.Client) bool {
	look := &look{cl: cl, log: k.log}
	for began := time.Now(); ; {
		leaders := map[int32][]place{}
		for p := range k.wrote {
			leader, _, err := cl.PartitionLeader(p.topic, p.partition)
			if err != nil || leader < 0 {
				return false
			}
			leaders[leader] = append(leaders[leader], p)
		}
		for leader, parts := range leaders {
			slices.SortFunc(parts, func(a, b place) int { return cmp.Compare(a.topic, b.topic) })
			stable, err := look.offsets(ctx, leader, parts, committed)
			if err != nil {
				return false
			}
			for p, offset := range stable {
				if offset > k.wrote[p] {
					delete(k.wrote, p)
				}
			}
		}
		if len(k.wrote) == 0 {
			return true
		}
		if time.Since(began) > markersWithin || pause(ctx, 2*time.Millisecond) != nil {
			return false
		}
	}
}

func (k *Keeper) mend(ctx context.Context, cl *kgo.Client, topics []string) (state string, err error) {
	if k.version < 2 {
		return "", nil
	}
	m := &mender{cl: cl, id: k.id, log: k.log}
	state, blind, err := m.mend(ctx, topics)
	k.unseen = time.Time{}
	if blind {
		k.unseen = time.Now().Add(lookAgain)
	}
	return state, err
}

// Tend waits for the markers of the last transaction, and ends what Kafka left open of this transactor's
// transactions. The first Produce of a transaction does the same; Tend is for those that are idle for
// long, whose readers would stand still meanwhile. Between transactions only.
func (t *Transactor) Tend(ctx context.Context) error {
	if t.broken != nil {
		return fmt.Errorf("tend: %w: %w", ErrUnusable, t.broken)
	}
	if len(t.known) == 0 {
		return nil
	}
	if err := t.keeper.Tend(ctx, t.cl, slices.Collect(maps.Keys(t.known))...); err != nil {
		return t.fail("look for hanging transactions", err)
	}
	return nil
}
