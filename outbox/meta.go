package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// meta is the one row of leat_outbox_meta, with the tokens of one shard.
type meta struct {
	outbox         string
	shards, wanted int // in force; asked for
	token, before  string
	slot           string // that hears what is said to the log; "": none
	trouble        string // of any shard
	troubleAt      time.Time
}

func readMeta(ctx context.Context, db *sqldb.DB, shard int) (m meta, err error) {
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		m, err = metaOf(ctx, tx, shard)
		return err
	})
	return m, err
}

// kept are the rows that keep something of each shard.
const kept = `(select 0 as shard, token, before, trouble, trouble_at from leat_outbox_meta
	union all select shard, token, before, trouble, trouble_at from leat_outbox_shard) kept`

func metaOf(ctx context.Context, tx *sqldb.Tx, shard int) (m meta, err error) {
	var at int64
	err = tx.QueryRow(ctx, `select outbox, shards, shards_wanted, slot from leat_outbox_meta`).Scan(&m.outbox, &m.shards, &m.wanted, &m.slot)
	if errors.Is(err, sqldb.ErrNoRows) {
		return m, &SetupError{What: "the outbox has no identity", Hint: "run Migrate of the box before its relay"}
	}
	if err != nil {
		return m, fmt.Errorf("read the outbox's identity: %w", err)
	}
	err = tx.QueryRow(ctx, `select token, before from `+kept+` where shard = $1`, shard).Scan(&m.token, &m.before)
	if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
		return m, fmt.Errorf("read the token of the last takeover: %w", err)
	}
	err = tx.QueryRow(ctx, `select trouble, trouble_at from `+kept+` where trouble <> '' order by trouble_at limit 1`).Scan(&m.trouble, &at)
	if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
		return m, fmt.Errorf("read what holds the outbox up: %w", err)
	}
	if at > 0 {
		m.troubleAt = time.UnixMicro(at).UTC()
	}
	return m, nil
}

// keep changes what is kept of a shard.
func keep(ctx context.Context, db *sqldb.DB, shard int, set string, args ...any) error {
	return db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if shard == 0 {
			_, err := tx.Exec(ctx, `update leat_outbox_meta set `+set, args...)
			return err
		}
		if _, err := tx.Exec(ctx, `insert into leat_outbox_shard (shard) values ($1) on conflict do nothing`, shard); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update leat_outbox_shard set `+set+` where shard = $3`, append(args, shard)...)
		return err
	})
}

func writeTokens(ctx context.Context, db *sqldb.DB, shard int, token, before string) error {
	if err := keep(ctx, db, shard, `token = $1, before = $2`, token, before); err != nil {
		return fmt.Errorf("write the takeover's token: %w", err)
	}
	return nil
}

// writeTrouble keeps what holds the head up, for those who look from another process.
func writeTrouble(ctx context.Context, db *sqldb.DB, shard int, trouble string) error {
	var at int64
	if trouble != "" {
		at = time.Now().UnixMicro()
	}
	if err := keep(ctx, db, shard, `trouble = $1, trouble_at = $2`, trouble, at); err != nil {
		return fmt.Errorf("write down the head's trouble: %w", err)
	}
	return nil
}
