package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
)

// raise makes a new claim to a parked partition known. Transactions under older claims that have come
// past fenced are waited for; later ones are refused. A claim that is not above the one that is known
// is refused with a leat.FencedError: the same one again is not.
func (b *Box) raise(ctx context.Context, f leat.Fence) error {
	err := b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if tx.Dialect() == sqldb.Postgres {
			if err := lockFence(ctx, tx, f); err != nil {
				return err
			}
		}
		var newest int64
		err := tx.QueryRow(ctx, `select epoch from leat_fence where consumer_group = $1 and topic = $2 and part = $3`, f.Group, f.Topic, f.Partition).Scan(&newest)
		switch {
		case err != nil && !errors.Is(err, sqldb.ErrNoRows):
			return err
		case newest > f.Epoch:
			return &leat.FencedError{Fence: f, Newest: newest}
		}
		_, err = tx.Exec(ctx, `insert into leat_fence (consumer_group, topic, part, epoch) values ($1, $2, $3, $4)
			on conflict (consumer_group, topic, part) do update set epoch = excluded.epoch`, f.Group, f.Topic, f.Partition, f.Epoch)
		return err
	})
	if err != nil {
		return fmt.Errorf("raise the fence of %v: %w", f, err)
	}
	return nil
}

// lockFence waits for the transactions that leat_fenced has let pass. The isolation is looked at here,
// where it costs nothing: under a snapshot of the transaction's begin, leat_fenced would read an epoch
// of before its lock.
func lockFence(ctx context.Context, tx *sqldb.Tx, f leat.Fence) error {
	var isolation string
	if err := tx.QueryRow(ctx, `select current_setting('transaction_isolation')`).Scan(&isolation); err != nil {
		return err
	}
	if isolation != "read committed" {
		return &SetupError{
			What: "transactions begin with isolation " + isolation + ", under which a claim to a parked partition can't be checked",
			Hint: "alter role or database set default_transaction_isolation to 'read committed'",
		}
	}
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended(current_schema || '/leat_fence/' || $1::text || '/' || $2::text || '/' || $3::integer, 0))`,
		f.Group, f.Topic, f.Partition)
	return err
}

// fenced refuses a transaction whose attempt runs under a claim that is not the newest one. It holds
// the claim until the transaction's end, so that what comes after a newer claim was raised can rely
// on nothing of an older one being committed later. SQLite has one writer at a time, which is this
// transaction already.
func fenced(ctx context.Context, tx *sqldb.Tx) error {
	for _, f := range leat.FencesOf(ctx) {
		if err := fencedBy(ctx, tx, f); err != nil {
			return err
		}
	}
	return nil
}

func fencedBy(ctx context.Context, tx *sqldb.Tx, f leat.Fence) error {
	query := `select leat_fenced($1, $2, $3)`
	if tx.Dialect() == sqldb.SQLite {
		query = `select coalesce(max(epoch), 0) from leat_fence where consumer_group = $1 and topic = $2 and part = $3`
	}
	var newest int64
	if err := tx.QueryRow(ctx, query, f.Group, f.Topic, f.Partition).Scan(&newest); err != nil {
		return fmt.Errorf("look at the fence of %v: %w", f, err)
	}
	if newest > f.Epoch {
		return leat.Unavailable(&leat.FencedError{Fence: f, Newest: newest})
	}
	return nil
}
