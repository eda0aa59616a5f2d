package sqldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/leatdev/leat"
)

// DB is one database. It is safe for concurrent use.
type DB struct {
	engine  engine
	dialect Dialect
	schema  string
	url     string
	log     *slog.Logger
	closing sync.Once
}

// engine begins transactions on one kind of database.
type engine interface {
	begin(ctx context.Context, mode mode) (session, error)
	close()
}

type mode int

const (
	readWrite mode = iota
	readOnly
)

// again is how often and how fast a transaction is repeated that lost against another one.
var again = leat.Retry{Attempts: 8, Base: 4 * time.Millisecond, Max: 500 * time.Millisecond}

// Open connects and says what is wrong and what to try if that is not possible within 10 seconds.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	dialect, _ := cfg.dialect()
	cfg = cfg.withDefaults(dialect)
	db := &DB{dialect: dialect, url: cfg.URL, log: cfg.Logger}
	var err error
	if dialect == Postgres {
		db.schema = cfg.Schema
		db.engine, err = openPostgres(ctx, cfg)
	} else {
		db.engine, err = openSQLite(ctx, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// Close waits for open transactions to end and closes the connections.
func (db *DB) Close() { db.closing.Do(db.engine.close) }

// Dialect is the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// URL is that of Config, its secrets included: for a connection of another kind to the same database.
func (db *DB) URL() string { return db.url }

// Schema is the PostgreSQL schema of Config, or "".
func (db *DB) Schema() string { return db.schema }

// Tx runs fn in a transaction and commits if fn returns nil. fn must be repeatable: where the
// database asks for it (serialization failure, deadlock) it is rolled back and fn runs again, up to
// 8 times, so what fn did outside of tx may happen more than once.
//
// Trouble that is not fn's fault comes back as leat.Unavailable; where the answer to the commit got
// lost also as ErrCommitUnknown. Every other error of fn comes back as it is. A panic of fn rolls
// back and goes on.
//
// Once ctx ends, nothing of the transaction can be committed any more, even if fn hangs: its
// connection is cut and its locks are freed. A commit that has begun runs to its end.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return db.run(ctx, readWrite, fn)
}

// View runs fn on one snapshot of the database and changes nothing. On SQLite it does not take the
// writer.
func (db *DB) View(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return db.run(ctx, readOnly, fn)
}

// within marks a context that runs inside a transaction of a DB. It serves one thing: on SQLite the
// inner of two nested transactions would wait for the outer one for ever.
type within struct{ db *DB }

func (db *DB) run(ctx context.Context, mode mode, fn func(ctx context.Context, tx *Tx) error) error {
	if mode == readWrite && ctx.Value(within{db}) != nil {
		return errors.New("begin transaction: this context is inside a transaction of the same database: use tx.Savepoint")
	}
	inner := ctx
	if mode == readWrite {
		inner = context.WithValue(ctx, within{db}, true)
	}
	for attempt := 1; ; attempt++ {
		err := db.once(ctx, inner, mode, fn)
		if err == nil {
			return nil
		}
		switch fault := faultOf(err); {
		case fault == faultNone:
			return err
		case fault == faultAway || again.Exhausted(attempt):
			return leat.Unavailable(err)
		}
		db.log.DebugContext(ctx, "repeat transaction", "attempt", attempt, "cause", err)
		if err := pause(ctx, again.Delay(attempt, rand.Float64())); err != nil {
			return fmt.Errorf("repeat transaction: %w", err)
		}
	}
}

// once is one attempt: begin, fn, hooks, commit. inner is ctx as fn sees it.
func (db *DB) once(ctx, inner context.Context, mode mode, fn func(ctx context.Context, tx *Tx) error) error {
	s, err := db.engine.begin(ctx, mode)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", orCause(ctx, err))
	}
	tx := &Tx{session: s, dialect: db.dialect}
	defer s.rollback() // after a commit it does nothing; before one fn panicked, failed or left by Goexit
	err = fn(inner, tx)
	if err == nil {
		tx.ending = true
		err = tx.runBefore(inner)
	}
	if err != nil {
		return tx.blame(ctx, err)
	}
	if err := s.commit(ctx); err != nil {
		switch {
		case errors.Is(err, ErrCommitUnknown):
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case tx.trouble != nil:
			err = tx.trouble // fn swallowed the error that made the commit impossible
		}
		return fmt.Errorf("commit transaction: %w", err)
	}
	tx.runAfter()
	return nil
}

// orCause prefers why ctx ended over what its end did to a driver.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
