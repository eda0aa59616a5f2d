package kafka

import (
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
}

// NewKeeper makes one for a transactional id.
func NewKeeper(id string, log *slog.Logger) *Keeper { return &Keeper{id: id, log: log} }

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

// Tend ends what hangs in the topics since a connection broke; it asks nothing as long as none did.
// Between transactions only: what is written into a partition next becomes one with what hangs there.
func (k *Keeper) Tend(ctx context.Context, cl *kgo.Client, topics ...string) error {
	if !k.cut.CompareAndSwap(true, false) && (k.unseen.IsZero() || time.Now().Before(k.unseen)) {
		return nil
	}
	_, err := k.mend(ctx, cl, topics)
	return err
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

// Tend ends what Kafka left open of this transactor's transactions, which can be when a connection
// broke. It asks nothing as long as none did. The first Produce of a transaction does the same; Tend is
// for those that are idle for long, whose readers would stand still meanwhile. Between transactions only.
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
