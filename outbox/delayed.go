package outbox

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// Delayed is an event that leaves later; At makes it.
type Delayed struct {
	due   time.Time
	event any
}

// At delays an event for Publish: it leaves at t or soon after, never before, by the database's clock
// on PostgreSQL and by the relay's on SQLite. Cancelling it is not possible once its transaction is
// committed. Delayed events of one key leave in the order of their times, those of one time in the
// order in which they were published; an event without a delay is due at once and overtakes them.
//
//	tx.Publish(ctx, outbox.At(time.Now().Add(time.Hour), PaymentOverdue{OrderID: id}))
func At(t time.Time, event any) Delayed { return Delayed{due: t, event: event} }

// promotion bounds the events that become due in one transaction.
const promotion = 1000

// promote moves the delayed events that are due into the outbox, where they get their ids in the
// order of their times, and says when to look again: at the next one's time, or after every where
// other processes may have published an earlier one.
//
// Two relays may be at it for a moment, one of them asleep since it lost its lease: a row is moved by
// the one that locks it, and the other one waits for it before it moves any.
func promote(ctx context.Context, db *sqldb.DB, to table, every time.Duration) (again time.Time, err error) {
	now := time.Now()
	wait, err := untilDue(ctx, db)
	if err != nil || wait > 0 {
		return now.Add(min(wait, every)), err
	}
	n := 0
	err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		numbers, err := dueRows(ctx, tx)
		if n = len(numbers); err != nil || n == 0 {
			return err
		}
		these := ` from leat_outbox_delayed where number in (` + strings.Join(numbers, ",") + `)`
		if _, err := tx.Exec(ctx, `insert into `+to.name+` (at, topic, key, event_id, event_type, attributes, data)
			select due, topic, key, event_id, event_type, attributes, data`+these+` order by due, number`); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete`+these)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("move %d delayed events that are due: %w", n, err)
	}
	return now, nil
}

// clock is the SQL of now in microseconds since 1970: the server's time where there is a server, one
// for the whole statement: with clock_timestamp(), which is asked anew for each row, a row at the end
// of a scan would be due and its elder at the beginning would not.
func clock(d sqldb.Dialect) string {
	if d == sqldb.Postgres {
		return `floor(extract(epoch from statement_timestamp()) * 1000000)::bigint`
	}
	return strconv.FormatInt(time.Now().UnixMicro(), 10)
}

// noneDue is how long it takes until an event is due where none is delayed.
const noneDue = 1 << 62

// untilDue is how long it takes until the first delayed event is due, 0 or less where it is.
func untilDue(ctx context.Context, db *sqldb.DB) (wait time.Duration, err error) {
	query := `select (select due from leat_outbox_delayed order by due, number limit 1) - ` + clock(db.Dialect())
	err = db.Ask(ctx, func(_ int, rows *sqldb.Rows) error {
		for rows.Next() {
			var micros *int64
			if err := rows.Scan(&micros); err != nil {
				return err
			}
			if wait = noneDue; micros != nil {
				wait = time.Duration(min(*micros, noneDue/1000)) * time.Microsecond
			}
		}
		return rows.Err()
	}, sqldb.Question{Query: query})
	if err != nil {
		return 0, fmt.Errorf("look for delayed events that are due: %w", err)
	}
	return wait, nil
}

// dueRows are the numbers of the events that are due, first those that leave first.
func dueRows(ctx context.Context, tx *sqldb.Tx) (numbers []string, err error) {
	query := `select number from leat_outbox_delayed where due <= ` + clock(tx.Dialect()) + ` order by due, number limit $1`
	if tx.Dialect() == sqldb.Postgres {
		query += ` for update`
	}
	rows, err := tx.Query(ctx, query, promotion)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		numbers = append(numbers, strconv.FormatInt(n, 10))
	}
	return numbers, rows.Err()
}
