package outbox

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// Replay says which kept events are to be sent again; what is empty bounds nothing. Only events that
// have left are.
type Replay struct {
	From, To         time.Time // written from then on, and before, by the database's clock
	FromID, ToID     int64     // by their rows, both included
	Topic, Type, Key string
}

// Kept counts kept events of one topic and type.
type Kept struct {
	Topic  string    `json:"topic"`
	Type   string    `json:"event_type"`
	Events int64     `json:"events"`
	First  time.Time `json:"first"` // when the first and the last of them were written
	Last   time.Time `json:"last"`
	LastID int64     `json:"last_id"` // highest row
}

// where is the SQL of the choice among rows that have left.
func (r Replay) where(c cursor) (string, []any) {
	waits, args := c.waits(nil)
	text := `not (` + waits + `)`
	add := func(condition string, arg any) {
		args = append(args, arg)
		text += ` and ` + condition + ` $` + strconv.Itoa(len(args))
	}
	if !r.From.IsZero() {
		add(`written >=`, r.From.UnixMicro())
	}
	if !r.To.IsZero() {
		add(`written <`, r.To.UnixMicro())
	}
	if r.FromID > 0 {
		add(`id >=`, r.FromID)
	}
	if r.ToID > 0 {
		add(`id <=`, r.ToID)
	}
	if r.Topic != "" {
		add(`topic =`, r.Topic)
	}
	if r.Type != "" {
		add(`event_type =`, r.Type)
	}
	if r.Key != "" {
		add(`key =`, []byte(r.Key))
	}
	return text, args
}

// Kept counts the kept events that a replay would send, by topic and type. Partitions that were detached
// are not looked into.
func (b *Box) Kept(ctx context.Context, r Replay) (all []Kept, err error) {
	if b.db.Dialect() != sqldb.Postgres {
		return nil, errNoneKept
	}
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		all = nil
		c, err := cursorOf(ctx, tx)
		if err != nil {
			return err
		}
		where, args := r.where(c)
		rows, err := tx.Query(ctx, `select topic, event_type, count(*), min(written), max(written), max(id) from leat_outbox_kept where `+where+` group by 1, 2 order by 1, 2`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k Kept
			var first, last int64
			if err := rows.Scan(&k.Topic, &k.Type, &k.Events, &first, &last, &k.LastID); err != nil {
				return err
			}
			k.First, k.Last = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
			all = append(all, k)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look at kept events: %w", err)
	}
	return all, nil
}

// replayed bounds the events that are put back in one transaction.
const replayed = 5000

// Replay puts kept events back into the outbox, in the order of their rows, as the events that they
// were, with their own ids: they leave behind what waits, so after later events of their keys, and
// inboxes that remember them pass over them. It tells how many it has put back; where that ends early,
// last is the row to go on behind (FromID).
func (b *Box) Replay(ctx context.Context, r Replay) (n, last int64, err error) {
	if b.db.Dialect() != sqldb.Postgres {
		return 0, 0, errNoneKept
	}
	for {
		var some, at int64
		err := b.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			c, err := cursorOf(ctx, tx.Tx)
			if err != nil {
				return err
			}
			where, args := r.where(c)
			args = append(args, time.Now().UnixMicro(), replayed)
			tx.wrote = true
			return tx.QueryRow(ctx, fmt.Sprintf(`with chosen as (select id, topic, key, event_id, event_type, attributes, data from leat_outbox_kept where %s order by id limit $%d),
				put as (insert into leat_outbox (at, topic, key, event_id, event_type, attributes, data)
					select $%d::bigint, topic, key, event_id, event_type, attributes, data from chosen order by id)
				select count(*), coalesce(max(id), 0) from chosen`, where, len(args), len(args)-1), args...).Scan(&some, &at)
		})
		if err != nil {
			return n, last, fmt.Errorf("replay kept events: %w", err)
		}
		if some == 0 {
			return n, last, nil
		}
		n, last, r.FromID = n+some, at, at+1
	}
}
