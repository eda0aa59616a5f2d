package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// In mode message an event is said to the write-ahead log with the commit of its transaction, and lies
// in no table. What a row's id is for others, its place in the log is here: the position in Kafka names
// the last place that has left, and a takeover passes over what the slot brings again up to there.

// say says events to the log. Without a slot that hears them the transaction fails.
func (tx *Tx) say(ctx context.Context, events []outgoing) error {
	var query strings.Builder
	query.WriteString(`select leat_say(array[`)
	args := make([]any, len(events))
	for i := range events {
		if i > 0 {
			query.WriteByte(',')
		}
		query.WriteString(`$` + strconv.Itoa(i+1) + `::bytea`)
		args[i] = appendSaying(nil, &events[i].Message)
	}
	query.WriteString(`])`)
	return tx.last(ctx, query.String(), len(events), args)
}

// heard says why what a transaction says to the log would be refused; nil where a slot hears it, and in
// modes that say nothing. A relay is ready no sooner: a service that is lets transactions begin.
func (r *Relay) heard(ctx context.Context) error {
	if r.cfg.Mode != ModeMessage {
		return nil
	}
	var slot string
	err := r.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select coalesce((select slot_name::text from leat_outbox_meta join pg_replication_slots on slot_name = slot
			where wal_status <> 'lost'), '')`).Scan(&slot)
	})
	if err != nil {
		return fmt.Errorf("look which slot hears the outbox: %w", err)
	}
	if slot == "" {
		return errors.New("no replication slot hears the outbox yet: a transaction that publishes would fail")
	}
	return nil
}

// silent begins the name of a slot in leat_outbox_meta that hears no more: what was said to it leaves.
const silent = "-"

// setSlot says which slot hears what is said to the log.
func setSlot(ctx context.Context, db *sqldb.DB, name string) error {
	err := db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `update leat_outbox_meta set slot = $1`, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("say which slot hears the outbox: %w", err)
	}
	return nil
}

// hush lets nobody say anything to the log any more, and waits for those who are at it.
func hush(ctx context.Context, db *sqldb.DB, ear string) error {
	err := db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended(current_schema || '/leat_outbox/slot', 0))`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update leat_outbox_meta set slot = $1`, silent+ear)
		return err
	})
	if err != nil {
		return fmt.Errorf("end mode message: %w", err)
	}
	return nil
}

// drained says that all has left that was said before this relay, of mode exact, has ended mode
// message.
func (g *reign) drained() bool {
	return g.drain > 0 && g.reader.streams() && g.reader.stream.upTo >= g.drain
}

// silence ends the way out of mode message: the next reign drops the slot and reads the table.
func (g *reign) silence(ctx context.Context) error {
	g.log.InfoContext(ctx, "the outbox has left mode message: all that was said to the log has left")
	return setSlot(ctx, g.db, "")
}

// parkSaid parks what can't leave and lies in no table. It does so before the position names it, or a
// crash would lose it, and again and again comes to the same; forget undoes what came to nothing.
func (g *reign) parkSaid(ctx context.Context, b *batch, out []parked) error {
	reason := map[int64]string{}
	for _, q := range out {
		if q.ID < 0 {
			reason[q.ID] = q.Reason
		}
	}
	if len(reason) == 0 {
		return nil
	}
	err := g.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		for i := range b.rows {
			r, m := &b.rows[i], &b.events[i]
			why, found := reason[r.id]
			if !found {
				continue
			}
			slot, at, now := g.reader.stream.slot, int64(r.at.Commit), time.Now().UnixMicro()
			if _, err := tx.Exec(ctx, `delete from leat_outbox_parked where slot = $1 and said_at = $2 and said_no = $3`, slot, at, r.at.Number); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `insert into leat_outbox_parked (id, at, parked_at, reason, topic, key, event_id, event_type, attributes, data, slot, said_at, said_no)
				values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, -r.id, now, why, m.Topic, orNull(m.Key), m.ID, m.Type, appendAttributes(nil, m), orNull(m.Data), slot, at, r.at.Number)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("park events that were said to the log: %w", err)
	}
	return nil
}

// forget takes back what was parked and is not named by the position: it is decided anew.
func (g *reign) forget(ctx context.Context, slot string, after place) error {
	err := g.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `delete from leat_outbox_parked where slot = $1 and (said_at > $2 or said_at = $2 and said_no > $3)`, slot, int64(after.Commit), after.Number)
		return err
	})
	if err != nil {
		return fmt.Errorf("take back what was parked in vain: %w", err)
	}
	return nil
}
