package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat/sqldb"
)

// Every relay on PostgreSQL brings what lies in leat_outbox_kept, whatever its mode: the mode says where
// Publish writes, and processes of both modes may be at work for a while. The ids of both tables come
// from one sequence, and a read sees both in one snapshot, so that a key's order holds across them.

// findKept reads what has left of leat_outbox_kept.
func (g *reign) findKept(ctx context.Context) error {
	if g.db.Dialect() != sqldb.Postgres {
		return nil
	}
	return g.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		c, err := cursorOf(ctx, tx)
		if err != nil {
			return err
		}
		if g.of == 1 {
			g.kept = &c
			return nil
		}
		n, err := keptWaiting(ctx, tx, c, 1)
		if err == nil && n > 0 {
			err = fmt.Errorf("events of mode retain wait in leat_outbox_kept, and there are %d shards, which do not bring them: run all relays of the outbox in mode retain, or with one shard until leat outbox status shows no rows", g.of)
		}
		return err
	})
}

// keptWaiting is how many rows of leat_outbox_kept have not left, counted up to limit.
func keptWaiting(ctx context.Context, tx *sqldb.Tx, c cursor, limit int) (n int64, err error) {
	waits, args := c.waits([]any{limit})
	if err := tx.QueryRow(ctx, `select count(*) from (select id from leat_outbox_kept where `+waits+` limit $1) waiting`, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count kept events that wait: %w", err)
	}
	return n, nil
}

// skipKept marks a row of leat_outbox_kept that has not left.
func skipKept(ctx context.Context, tx *sqldb.Tx, id int64) (int64, error) {
	c, err := cursorOf(ctx, tx)
	if err != nil {
		return 0, err
	}
	waits, args := c.waits([]any{id})
	return tx.Exec(ctx, `update leat_outbox_kept set skip = true where id = $1 and `+waits, args...)
}

// checkKept compares the cursor with what the relay has made of it, and looks for what nothing but the
// table brings where the relay reads a slot.
func (g *reign) checkKept(ctx context.Context) error {
	if g.kept == nil || g.ahead != nil || len(g.behind) > 0 {
		return nil
	}
	return g.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		c, err := cursorOf(ctx, tx)
		if err != nil {
			return err
		}
		if c.number != g.kept.number {
			return errOvertaken
		}
		if !g.reader.streams() || g.drain > 0 { // what was said to the log goes first
			return nil
		}
		n, err := keptWaiting(ctx, tx, c, 1)
		if err == nil && n > 0 {
			g.reader.byTable = true
			g.reader.rewind()
		}
		return err
	})
}

// keep is called every few seconds for the partitions of leat_outbox_kept. What goes wrong there costs
// nobody an event: what no partition takes the last one does.
func (g *reign) keep(ctx context.Context) {
	if g.kept == nil {
		return
	}
	if err := g.keepPartitions(ctx); err != nil && ctx.Err() == nil {
		g.log.WarnContext(ctx, "the partitions of leat_outbox_kept are not as they should be; events are written and leave all the same", "error", err)
	}
}

func (g *reign) keepPartitions(ctx context.Context) error {
	s, err := lookAtPartitions(ctx, g.db)
	if err != nil {
		return err
	}
	if g.cfg.Mode == ModeRetain {
		err = g.makePartitions(ctx, s)
	}
	if g.cfg.Keep < 0 {
		return err
	}
	return errors.Join(err, g.retire(ctx, s))
}
