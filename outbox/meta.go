package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// meta is the one row of leat_outbox_meta.
type meta struct {
	outbox        string
	token, before string
	trouble       string
	troubleAt     time.Time
}

func readMeta(ctx context.Context, db *sqldb.DB) (m meta, err error) {
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		m, err = metaOf(ctx, tx)
		return err
	})
	return m, err
}

func metaOf(ctx context.Context, tx *sqldb.Tx) (m meta, err error) {
	var at int64
	err = tx.QueryRow(ctx, `select outbox, token, before, trouble, trouble_at from leat_outbox_meta`).
		Scan(&m.outbox, &m.token, &m.before, &m.trouble, &at)
	if errors.Is(err, sqldb.ErrNoRows) {
		return m, &SetupError{What: "the outbox has no identity", Hint: "run Migrate of the box before its relay"}
	}
	if err != nil {
		return m, fmt.Errorf("read the outbox's identity: %w", err)
	}
	if at > 0 {
		m.troubleAt = time.UnixMicro(at).UTC()
	}
	return m, nil
}

func writeTokens(ctx context.Context, db *sqldb.DB, token, before string) error {
	err := db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `update leat_outbox_meta set token = $1, before = $2`, token, before)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the takeover's token: %w", err)
	}
	return nil
}

// writeTrouble keeps what holds the head up, for those who look from another process.
func writeTrouble(ctx context.Context, db *sqldb.DB, trouble string) error {
	var at int64
	if trouble != "" {
		at = time.Now().UnixMicro()
	}
	err := db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `update leat_outbox_meta set trouble = $1, trouble_at = $2 where trouble <> $1`, trouble, at)
		return err
	})
	if err != nil {
		return fmt.Errorf("write down the head's trouble: %w", err)
	}
	return nil
}
