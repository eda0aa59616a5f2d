package outbox

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Box is the outbox and the inbox of one service in its database. It is safe for concurrent use and
// holds no resource of its own.
type Box struct {
	cfg     Config
	db      *sqldb.DB
	encoder leat.Encoder
	wake    chan struct{} // full: events were committed since the relay in this process last read
	counts  counts

	round    *round       // of the sweeps
	repeated atomic.Int64 // when a batch had repeats last, microseconds since 1970
}

// New makes a box. It touches nothing; Migrate makes the tables.
func New(cfg Config) (*Box, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make outbox: %w", err)
	}
	cfg = cfg.withDefaults()
	catalog, err := leat.NewCatalog(cfg.Owns...)
	if err != nil {
		return nil, fmt.Errorf("make outbox: %w", err)
	}
	return &Box{
		cfg:     cfg,
		db:      cfg.DB,
		encoder: leat.Encoder{Catalog: catalog, Codec: cfg.Codec, Source: cfg.Source},
		wake:    make(chan struct{}, 1),
		counts:  newCounts(cfg.Metrics),
		round:   newRound(rand.Int64()),
	}, nil
}

// Migrate makes or updates the tables leat_outbox, leat_outbox_meta, leat_outbox_parked,
// leat_outbox_payload, leat_outbox_kept, leat_outbox_cursor, leat_inbox, leat_inbox_key and leat_fence, and
// gives a new outbox its identity.
func (b *Box) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate outbox: %w", err)
	}
	if err := b.db.Migrate(ctx, "outbox", files); err != nil {
		return fmt.Errorf("migrate outbox: %w", err)
	}
	err = b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `insert into leat_outbox_meta (one, outbox) values (1, $1) on conflict do nothing`, leat.NewID())
		return err
	})
	if err != nil {
		return fmt.Errorf("name outbox: %w", err)
	}
	return nil
}

// Tx runs fn in a transaction that carries events: what fn writes and what it publishes are
// committed together or not at all. fn must be repeatable, see sqldb.DB.Tx.
func (b *Box) Tx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return b.db.Tx(ctx, func(ctx context.Context, s *sqldb.Tx) error {
		return fn(ctx, b.Join(s))
	})
}

// Join enters a transaction that someone else began, so that it carries events. Of one that sqldb
// did not begin (sqldb.JoinPgx, sqldb.JoinSQL) whoever began it must call Flush right before the
// commit, or what was published is not in it, and should call Committed after it, or the relay
// learns of the events by polling only.
func (b *Box) Join(s *sqldb.Tx) *Tx {
	tx := &Tx{Tx: s, box: b}
	s.BeforeCommit(tx.leave)
	s.AfterCommit(tx.signal)
	return tx
}

// Bind makes handlers whole that need the box (Once) and passes the others on as they are.
func (b *Box) Bind(handlers ...leat.Handler) ([]leat.Handler, error) {
	bound := make([]leat.Handler, len(handlers))
	var faults []error
	for i, h := range handlers {
		if h.Bind == nil || h.Err != nil {
			bound[i] = h
			continue
		}
		whole, err := h.Bind(b)
		if err != nil {
			faults = append(faults, fmt.Errorf("bind handler of %s on %s: %w", h.Kind.Type, h.Topic.Name, err))
			continue
		}
		bound[i] = whole
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return bound, nil
}
