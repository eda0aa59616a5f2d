package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/leatdev/leat/sqldb"
)

// In mode retain rows stay in leat_outbox_kept when they have left. What a delete says of a row of
// leat_outbox, the cursor says here, in the same transaction: it is the state of the table, and goes
// back with it where a backup is restored or a standby promoted. The position in Kafka names the rows of
// the last batch as in the other modes.

// cursor says which rows of leat_outbox_kept have left: all up to upto, and those in above. It is a
// value; what it refers to is never changed.
type cursor struct {
	number int64 // counts the changes, so that a relay that was overtaken changes nothing
	upto   int64
	above  ids
	moved  int64 // rows that left with the last change; not kept
}

// with is the cursor when rows have left too, where nothing at or below floor waits or may still come.
func (c cursor) with(rows ids, floor int64) cursor {
	c.number++
	c.moved = rows.count()
	c.upto = max(c.upto, floor)
	c.above = c.above.union(rows).beyond(c.upto)
	return c
}

// maxAbove bounds the runs of above: where there are more, rows wait until what lies between has come
// or turned out to be nothing.
const maxAbove = 10_000

func (c cursor) crowded() bool { return len(c.above) >= maxAbove }

// waits is the SQL that says of a row of leat_outbox_kept that it has not left; its parameters come
// after the first n.
func (c cursor) waits(args []any) (string, []any) {
	args = append(args, c.upto)
	text := `id > $` + strconv.Itoa(len(args))
	if len(c.above) > 0 {
		args = append(args, c.above.multirange())
		text += ` and not (select $` + strconv.Itoa(len(args)) + `::text::int8multirange) @> id` // read once, not for each row
	}
	return text, args
}

func cursorOf(ctx context.Context, tx *sqldb.Tx) (c cursor, err error) {
	var above string
	if err = tx.QueryRow(ctx, `select number, upto, above from leat_outbox_cursor`).Scan(&c.number, &c.upto, &above); err == nil {
		c.above, err = parseIDs(above)
	}
	if err != nil {
		return c, fmt.Errorf("read the cursor of kept events: %w", err)
	}
	return c, nil
}

// errOvertaken says that the cursor is not the one that this relay has left there.
var errOvertaken = errors.New("the cursor of kept events was moved by another relay, or the database lost its last move")

// move puts c in place of the cursor that it was made of.
func (c cursor) move(ctx context.Context, tx *sqldb.Tx) error {
	n, err := tx.Exec(ctx, `update leat_outbox_cursor set number = $1, upto = $2, above = $3 where number = $4`, c.number, c.upto, c.above.String(), c.number-1)
	if err != nil {
		return fmt.Errorf("move the cursor of kept events: %w", err)
	}
	if n == 0 {
		return errOvertaken
	}
	return nil
}

// union is the ids of both.
func (s ids) union(o ids) ids {
	if len(s) == 0 {
		return o
	}
	all := slices.Concat(s, o)
	slices.SortFunc(all, func(a, b span) int { return int(a.from - b.from) })
	merged := all[:1]
	for _, r := range all[1:] {
		if last := &merged[len(merged)-1]; r.from <= last.to+1 {
			last.to = max(last.to, r.to)
		} else {
			merged = append(merged, r)
		}
	}
	return merged
}

// beyond is the ids above floor.
func (s ids) beyond(floor int64) ids {
	i := 0
	for i < len(s) && s[i].to <= floor {
		i++
	}
	if i == len(s) {
		return nil
	}
	rest := slices.Clone(s[i:])
	rest[0].from = max(rest[0].from, floor+1)
	return rest
}

// multirange is the ids as PostgreSQL has them.
func (s ids) multirange() string {
	b := []byte{'{'}
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), r.from, 10)
		b = strconv.AppendInt(append(b, ','), r.to, 10)
		b = append(b, ']')
	}
	return string(append(b, '}'))
}
