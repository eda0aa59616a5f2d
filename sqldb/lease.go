package sqldb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/leatdev/leat"
)

//go:embed migrations/*.sql
var leaseMigrations embed.FS

// defaultTTL is long enough for a pause of the process, short enough to wait for after its death.
const defaultTTL = 10 * time.Second

// LeaseConfig names a lease.
type LeaseConfig struct {
	// Name is what is leased, within the database (on PostgreSQL within the schema). Needed.
	Name string
	// Holder is this process's name, which nobody else uses at any time. "": a random one.
	Holder string
	// TTL is how long the lease holds after Acquire and Renew. 0: 10 s.
	TTL time.Duration
}

// Lease is the right to be the only one, for a time. It does not keep a slow holder from acting after
// it has lost the lease: pass the token on and have what it writes to refuse a lower one.
//
// PostgreSQL's clock counts the time. SQLite has no clock that all processes share but the
// machine's: there it is Go's.
type Lease struct {
	db  *DB
	cfg LeaseConfig

	mu    sync.Mutex
	ready bool  // the table is there
	token int64 // of the lease that Acquire got; 0: none
}

// Lease returns the lease of that name, not yet acquired.
func (db *DB) Lease(cfg LeaseConfig) *Lease {
	if cfg.Holder == "" {
		cfg.Holder = leat.NewID()
	}
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	return &Lease{db: db, cfg: cfg}
}

// TTL is how long the lease holds after Acquire and Renew.
func (l *Lease) TTL() time.Duration { return l.cfg.TTL }

// Acquire takes the lease if it is free, has run out, or is this holder's, and returns its token: it
// grows with every Acquire, whoever calls it. ErrLeaseHeld: another has it.
func (l *Lease) Acquire(ctx context.Context) (int64, error) {
	if err := l.prepare(ctx); err != nil {
		return 0, fmt.Errorf("acquire lease %s: %w", l.cfg.Name, err)
	}
	now, until, args := l.clock(l.cfg.Name, l.cfg.Holder)
	var token int64
	err := l.db.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		return tx.QueryRow(ctx, `insert into leat_lease (name, holder, token, expires_at) values ($1, $2, 1, `+until+`)
			on conflict (name) do update set holder = excluded.holder, token = leat_lease.token + 1, expires_at = excluded.expires_at
			where leat_lease.expires_at <= `+now+` or leat_lease.holder = excluded.holder
			returning token`, args...).Scan(&token)
	})
	switch {
	case errors.Is(err, ErrNoRows):
		return 0, fmt.Errorf("acquire lease %s: %w", l.cfg.Name, ErrLeaseHeld)
	case err != nil:
		return 0, fmt.Errorf("acquire lease %s: %w", l.cfg.Name, err)
	}
	l.hold(token)
	return token, nil
}

// Renew makes the lease hold for another TTL. ErrLeaseLost: it ran out or another has it; stop at
// once. After any other error it is still held until it runs out.
func (l *Lease) Renew(ctx context.Context) error {
	token := l.held()
	if token == 0 {
		return fmt.Errorf("renew lease %s: %w", l.cfg.Name, ErrLeaseLost)
	}
	now, until, args := l.clock(l.cfg.Name, token)
	var rows int64
	err := l.db.Tx(ctx, func(ctx context.Context, tx *Tx) (err error) {
		rows, err = tx.Exec(ctx, `update leat_lease set expires_at = `+until+`
			where name = $1 and token = $2 and expires_at > `+now, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew lease %s: %w", l.cfg.Name, err)
	}
	if rows == 0 {
		l.hold(0)
		return fmt.Errorf("renew lease %s: %w", l.cfg.Name, ErrLeaseLost)
	}
	return nil
}

// Release gives the lease back before it runs out. It is no error if it was lost before.
func (l *Lease) Release(ctx context.Context) error {
	token := l.held()
	if token == 0 {
		return nil
	}
	l.hold(0)
	now, _, args := l.clock(l.cfg.Name, token)
	err := l.db.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, `update leat_lease set expires_at = `+now+` where name = $1 and token = $2`, args[:len(args)-1]...)
		return err
	})
	if err != nil {
		return fmt.Errorf("release lease %s: %w", l.cfg.Name, err)
	}
	return nil
}

// Guard makes sure, inside a transaction, that the lease is held until the transaction ends: nobody
// else can acquire it before. ErrLeaseLost: it is not held.
func (l *Lease) Guard(ctx context.Context, tx *Tx) error {
	now, _, args := l.clock(l.cfg.Name, l.held())
	n, err := tx.Exec(ctx, `update leat_lease set token = token where name = $1 and token = $2 and expires_at > `+now, args[:len(args)-1]...)
	switch {
	case err != nil:
		return fmt.Errorf("guard lease %s: %w", l.cfg.Name, err)
	case n == 0:
		return fmt.Errorf("guard lease %s: %w", l.cfg.Name, ErrLeaseLost)
	}
	return nil
}

// Leases are the names of the leases that begin with prefix and are held now.
func (db *DB) Leases(ctx context.Context, prefix string) (names []string, err error) {
	if err := db.Lease(LeaseConfig{Name: prefix}).prepare(ctx); err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	now, args := "clock_timestamp()", []any{prefix}
	if db.dialect != Postgres {
		now, args = "$2", append(args, time.Now())
	}
	err = db.View(ctx, func(ctx context.Context, tx *Tx) error {
		names = nil
		rows, err := tx.Query(ctx, `select name from leat_lease where substr(name, 1, length($1)) = $1 and expires_at > `+now+` order by name`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	return names, nil
}

// clock gives the SQL of now and of the end of a TTL that begins now, and the arguments with what
// they need added: the TTL's end always is the last.
func (l *Lease) clock(args ...any) (now, until string, _ []any) {
	if l.db.dialect == Postgres {
		return "clock_timestamp()", "clock_timestamp() + $3 * interval '1 microsecond'", append(args, l.cfg.TTL.Microseconds())
	}
	at := time.Now()
	return "$3", "$4", append(args, at, at.Add(l.cfg.TTL))
}

// prepare makes the table at the first call.
func (l *Lease) prepare(ctx context.Context) error {
	l.mu.Lock()
	ready := l.ready
	l.mu.Unlock()
	if ready {
		return nil
	}
	files, err := fs.Sub(leaseMigrations, "migrations")
	if err != nil {
		return err
	}
	if err := l.db.Migrate(ctx, "leat/sqldb", files); err != nil {
		return err
	}
	l.mu.Lock()
	l.ready = true
	l.mu.Unlock()
	return nil
}

func (l *Lease) hold(token int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token = token
}

func (l *Lease) held() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}
