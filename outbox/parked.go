package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// ParkedEvent is an event that could not leave and was parked.
type ParkedEvent struct {
	ID       int64     `json:"id"` // that its row had in the outbox
	ParkedAt time.Time `json:"parked_at"`
	Reason   string    `json:"reason"`
	Topic    string    `json:"topic"`
	EventID  string    `json:"event_id"`
	Type     string    `json:"event_type"`
	Bytes    int64     `json:"bytes"` // of its data
}

// Parked lists the first events that are parked, oldest first, at most limit.
func (b *Box) Parked(ctx context.Context, limit int) (all []ParkedEvent, err error) {
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		all = nil
		rows, err := tx.Query(ctx, `select id, parked_at, reason, topic, event_id, event_type, coalesce(length(data), 0) from leat_outbox_parked order by number limit $1`, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e ParkedEvent
			var at int64
			if err := rows.Scan(&e.ID, &at, &e.Reason, &e.Topic, &e.EventID, &e.Type, &e.Bytes); err != nil {
				return err
			}
			e.ParkedAt = time.UnixMicro(at).UTC()
			all = append(all, e)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list parked events: %w", err)
	}
	return all, nil
}

// Unpark puts a parked event back into the outbox, by the id that its row had there. It leaves as the
// event that it was, with its own id, behind what waits: so after later events of its key.
// ErrNotParked says that no such event is parked.
func (b *Box) Unpark(ctx context.Context, id int64) error {
	err := b.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		now := time.Now().UnixMicro()
		n, err := tx.Exec(ctx, `insert into leat_outbox (at, topic, key, event_id, event_type, attributes, data)
			select $2, topic, key, event_id, event_type, attributes, data from leat_outbox_parked where id = $1 order by number`, id, now)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotParked
		}
		tx.wrote = true
		_, err = tx.Exec(ctx, `delete from leat_outbox_parked where id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("unpark event %d: %w", id, err)
	}
	return nil
}
