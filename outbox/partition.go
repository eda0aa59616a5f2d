package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// partition is one of leat_outbox_kept, for rows written from one time to another, exclusive, in
// microseconds since 1970.
type partition struct {
	name     string // as SQL has it
	from, to int64
}

// partitions are what there is.
type partitions struct {
	now    int64 // by the server's clock
	all    []partition
	rest   int64         // when the newest row that no partition took was written; 0: there is none
	writer time.Duration // age of the oldest transaction that may have written
}

// restTable takes what no other partition does.
const restTable = "leat_outbox_kept_rest"

func lookAtPartitions(ctx context.Context, db *sqldb.DB) (s partitions, err error) {
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		s = partitions{}
		var seconds float64
		if err := tx.QueryRow(ctx, `select `+clock(tx.Dialect())+`, coalesce((select max(written) from `+restTable+`), 0), (`+oldestWriter+`)`).Scan(&s.now, &s.rest, &seconds); err != nil {
			return err
		}
		s.writer = time.Duration(seconds * float64(time.Second))
		rows, err := tx.Query(ctx, `select name, bound[1]::bigint, bound[2]::bigint
			from (select inhrelid::regclass::text as name, regexp_match(pg_get_expr(relpartbound, oid), 'FROM \(''(\d+)''\) TO \(''(\d+)''\)') as bound
				from pg_inherits join pg_class on oid = inhrelid where inhparent = 'leat_outbox_kept'::regclass) part
			where bound is not null order by 2`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p partition
			if err := rows.Scan(&p.name, &p.from, &p.to); err != nil {
				return err
			}
			s.all = append(s.all, p)
		}
		return rows.Err()
	})
	if err != nil {
		return s, fmt.Errorf("look at the partitions of leat_outbox_kept: %w", err)
	}
	return s, nil
}

// partitionsAhead is for how many partitions' time there is a place to write to if no relay makes more.
const partitionsAhead = 3

// margin is how long before its time a partition must be there, in microseconds. A writer that is on its
// way to the last partition when one is attached that its row belongs to fails: so none is that has begun.
func margin(period int64) int64 { return min(period/2, time.Minute.Microseconds()) }

// missing are the partitions that are to be made: from when the last one ends, or from the next multiple of
// the period that is far enough, and none where a row lies already that no partition took.
func (s partitions) missing(period int64) (all []partition) {
	after := max(s.now+margin(period), s.rest)
	from := after - after%period + period
	if n := len(s.all); n > 0 {
		from = max(from, s.all[n-1].to)
	}
	for from < s.now+partitionsAhead*period {
		to := from - from%period + period
		name := "leat_outbox_kept_" + time.UnixMicro(from).UTC().Format("20060102_150405")
		all = append(all, partition{name, from, to})
		from = to
	}
	return all
}

// lockWait bounds how long a change of the partitions waits for writers, and others wait behind it.
const lockWait = 100 * time.Millisecond

// change is a transaction that changes partitions.
func change(ctx context.Context, db *sqldb.DB, do func(ctx context.Context, tx *sqldb.Tx) error) error {
	return db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if _, err := tx.Exec(ctx, `set local lock_timeout = `+strconv.FormatInt(lockWait.Milliseconds(), 10)); err != nil {
			return err
		}
		return do(ctx, tx)
	})
}

// errLate says that a partition's time has all but begun.
var errLate = errors.New("its time begins: a later one is made")

// makePartitions makes those that are missing. Attaching one lets writers go on, but for those that
// write to the last partition, since no others took their rows.
func (g *reign) makePartitions(ctx context.Context, s partitions) error {
	period := g.cfg.Partition.Microseconds()
	for _, p := range s.missing(period) {
		err := change(ctx, g.db, func(ctx context.Context, tx *sqldb.Tx) error {
			if _, err := tx.Exec(ctx, `create table `+p.name+` (like leat_outbox_kept including all excluding defaults)`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, fmt.Sprintf(`alter table leat_outbox_kept attach partition %s for values from (%d) to (%d)`, p.name, p.from, p.to)); err != nil {
				return err
			}
			var late bool
			if err := tx.QueryRow(ctx, `select `+clock(tx.Dialect())+` > $1`, p.from-margin(period)/2).Scan(&late); err != nil {
				return err
			}
			if late {
				return errLate
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("make partition %s: %w", p.name, err)
		}
	}
	return nil
}

// errWaiting says that not all rows of a partition have left.
var errWaiting = errors.New("events in it have not left")

// retire takes the oldest partition away once its time is over and all of it has left.
func (g *reign) retire(ctx context.Context, s partitions) error {
	before := s.now - g.cfg.Keep.Microseconds()
	if !g.cfg.Detach && s.rest > 0 {
		if err := g.retireRest(ctx, before); err != nil {
			return err
		}
	}
	if len(s.all) == 0 || s.all[0].to > before || time.Now().Before(g.retireAt) || s.writer > lockWait {
		return nil
	}
	p := s.all[0]
	err := change(ctx, g.db, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := g.left(ctx, tx, p); err != nil {
			return err
		}
		// From here on nobody writes, and who did has ended: what is there now is all there will be.
		if _, err := tx.Exec(ctx, `alter table leat_outbox_kept detach partition `+p.name); err != nil {
			return err
		}
		if err := g.left(ctx, tx, p); err != nil || g.cfg.Detach {
			return err
		}
		_, err := tx.Exec(ctx, `drop table `+p.name)
		return err
	})
	if err != nil {
		g.retireAt = time.Now().Add(min(time.Minute, g.cfg.Partition/4))
		return fmt.Errorf("take partition %s away: %w", p.name, err)
	}
	g.log.InfoContext(ctx, "a partition of old events is taken away", "partition", p.name, "dropped", !g.cfg.Detach)
	return nil
}

// left is nil where all rows of a partition have left.
func (g *reign) left(ctx context.Context, tx *sqldb.Tx, p partition) error {
	c, err := cursorOf(ctx, tx)
	if err != nil {
		return err
	}
	waits, args := c.waits(nil)
	var some bool
	if err := tx.QueryRow(ctx, `select exists (select from `+p.name+` where `+waits+`)`, args...).Scan(&some); err != nil {
		return err
	}
	if some {
		return errWaiting
	}
	return nil
}

// retireRest deletes old rows that no partition took, some at a time.
func (g *reign) retireRest(ctx context.Context, before int64) error {
	err := g.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		c, err := cursorOf(ctx, tx)
		if err != nil {
			return err
		}
		waits, args := c.waits([]any{before, g.cfg.BatchRows})
		_, err = tx.Exec(ctx, `delete from `+restTable+` where ctid = any(array(select ctid from `+restTable+` where written < $1 and not (`+waits+`) limit $2))`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete old events: %w", err)
	}
	return nil
}
