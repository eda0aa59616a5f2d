package registry

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// SQLite is a log in a SQLite file. Processes may share the file: each command is written behind what
// it was judged by, or judged again; what another process wrote is read within a second.
type SQLite struct {
	db    *sqldb.DB
	fresh chan struct{} // holds one word when this process has written
}

// pollEvery is how often the file is asked for what other processes wrote.
const pollEvery = time.Second

// readBatch is how many records are read at a time.
const readBatch = 1000

// OpenSQLite makes a log of an open SQLite database, with its table where that is missing.
func OpenSQLite(ctx context.Context, db *sqldb.DB) (*SQLite, error) {
	if db.Dialect() != sqldb.SQLite {
		return nil, fmt.Errorf("open the registry's log: %s is no SQLite file", db.URL())
	}
	if err := db.Migrate(ctx, "registry", migrations); err != nil {
		return nil, fmt.Errorf("open the registry's log: %w", err)
	}
	return &SQLite{db: db, fresh: make(chan struct{}, 1)}, nil
}

// Follow implements [Log].
func (l *SQLite) Follow(ctx context.Context, apply func([]Entry, int64)) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	var at int64
	for {
		entries, err := l.read(ctx, at)
		switch {
		case ctx.Err() != nil:
			return nil
		case leat.IsUnavailable(err): // asked again at the next beat
		case err != nil:
			return err
		}
		if len(entries) > 0 {
			at = entries[len(entries)-1].Position + 1
			apply(entries, at)
			if len(entries) == readBatch {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.fresh:
		case <-poll.C:
		}
	}
}

// read are the records from a position on, the first ones of them.
func (l *SQLite) read(ctx context.Context, from int64) (entries []Entry, err error) {
	err = l.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		entries = entries[:0]
		rows, err := tx.Query(ctx, `select position, at, key, value from leat_registry_record where position >= $1 order by position limit $2`, from, readBatch)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			if err := rows.Scan(&e.Position, &e.Time, &e.Key, &e.Value); err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read the registry's log: %w", err)
	}
	return entries, nil
}

// End implements [Log].
func (l *SQLite) End(ctx context.Context) (end int64, err error) {
	err = l.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select coalesce(max(position) + 1, 0) from leat_registry_record`).Scan(&end)
	})
	if err != nil {
		return 0, errors.Join(ErrUnavailable, fmt.Errorf("find the end of the registry's log: %w", err))
	}
	return end, nil
}

// Append implements [Log]. The records are there all together or not at all.
func (l *SQLite) Append(ctx context.Context, after int64, records []Record) (next int64, err error) {
	if err := checkSizes(records); err != nil {
		return 0, err
	}
	err = l.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.QueryRow(ctx, `select coalesce(max(position) + 1, 0) from leat_registry_record`).Scan(&next); err != nil {
			return err
		}
		if next != after {
			return ErrStale
		}
		for _, r := range records {
			if _, err := tx.Exec(ctx, `insert into leat_registry_record (position, at, key, value) values ($1, $2, $3, $4)`, next, r.Time, r.Key, r.Value); err != nil {
				return err
			}
			next++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("append to the registry's log: %w", err)
	}
	select {
	case l.fresh <- struct{}{}:
	default: // there is a word in it already
	}
	return next, nil
}

// Leader implements [Log]: whoever has the file may write to it.
func (l *SQLite) Leader() (string, bool) { return "", true }
