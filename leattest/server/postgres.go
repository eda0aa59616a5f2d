package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresConfig says which PostgreSQL StartPostgres runs; the zero value is the
// system's.
type PostgresConfig struct {
	// Version is a version of the binaries on Maven Central, such as "17.11.0"; ""
	// means the system's highest, and PostgresVersion where the system has none.
	Version string
	// Dir is where data and log lie, on every later start the same; "" means a
	// temporary directory that Close removes.
	Dir string
	// Settings are added to the server's configuration and win.
	Settings map[string]string
}

// Postgres is a running PostgreSQL whose superuser postgres needs no password. All
// servers of one version share one system identifier, being copies of one initdb.
type Postgres struct {
	cfg     PostgresConfig
	install *postgresInstall
	port    int
	process *process
	nursery *nursery
	keep    bool
}

// StartPostgres starts PostgreSQL and returns when it answers. ctx ends the start
// only, not the server: Close does.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	install, err := findPostgres(ctx, cfg.Version)
	if err != nil {
		return nil, err
	}
	p := &Postgres{cfg: cfg, install: install, keep: cfg.Dir != "", nursery: newNursery()}
	err = p.prepare(ctx)
	if err == nil {
		err = p.Restart(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start postgresql: %w", err), p.Close())
	}
	return p, nil
}

func (p *Postgres) data() string { return filepath.Join(p.cfg.Dir, "data") }
func (p *Postgres) log() string  { return filepath.Join(p.cfg.Dir, "server.log") }

// prepare makes the data directory from the template, unless an earlier start
// left one, and writes the settings.
func (p *Postgres) prepare(ctx context.Context) error {
	var err error
	if p.cfg.Dir == "" {
		p.cfg.Dir, err = os.MkdirTemp("", "leat-postgres-")
	} else if p.cfg.Dir, err = filepath.Abs(p.cfg.Dir); err == nil {
		err = os.MkdirAll(p.cfg.Dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if err := p.install.own(p.cfg.Dir); err != nil {
		return err
	}
	if !exists(p.data()) {
		if err := p.install.copyTemplate(ctx, p.data()); err != nil {
			return err
		}
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	p.port = ports[0]
	return p.configure()
}

// configure writes the settings into the file that ALTER SYSTEM uses, the last
// that the server reads.
func (p *Postgres) configure() error {
	settings := map[string]string{
		"listen_addresses":          "127.0.0.1",
		"port":                      strconv.Itoa(p.port),
		"unix_socket_directories":   "", // a socket's path has 107 bytes at most
		"wal_level":                 "logical",
		"max_replication_slots":     "20",
		"max_wal_senders":           "20",
		"max_prepared_transactions": "20",
		"fsync":                     "on",
		"synchronous_commit":        "on",
		"full_page_writes":          "on",
		"shared_buffers":            "32MB",
		"wal_sender_timeout":        "60s", // a machine that stalls ends no stream
		"max_wal_size":              "256MB",
		"timezone":                  "UTC",
	}
	maps.Copy(settings, p.cfg.Settings)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = '%s'\n", key, strings.ReplaceAll(settings[key], "'", "''"))
	}
	file := filepath.Join(p.data(), "postgresql.auto.conf")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write postgresql.auto.conf: %w", err)
	}
	return p.install.own(file)
}

// URL returns the connection URL of a database; "" means the database postgres.
func (p *Postgres) URL(database string) string {
	if database == "" {
		database = "postgres"
	}
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: local(p.port), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Dir returns where data and log (server.log) lie.
func (p *Postgres) Dir() string { return p.cfg.Dir }

// Keep lets Close leave data and log where they are.
func (p *Postgres) Keep() { p.keep = true }

// Kill ends the server with SIGKILL and waits until it is gone. Its backends
// notice by themselves, some milliseconds later.
func (p *Postgres) Kill() error { return p.process.kill() }

// Alive tells whether the server's process runs.
func (p *Postgres) Alive() bool { return p.process.alive() }

// Restart stops the server if it runs, as an administrator would, starts it on its
// old port and data and returns when it answers.
func (p *Postgres) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startIn, fmt.Errorf("not ready within %v", startIn))
	defer cancel()
	if err := p.stop(); err != nil {
		return err
	}
	for {
		if err := os.Truncate(p.log(), 0); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("begin a new server log: %w", err)
		}
		var err error
		p.process, err = p.nursery.start(launch{
			dir: p.cfg.Dir, log: p.log(), credential: p.install.credential, argv: []string{p.install.bin("postgres"), "-D", p.data()},
		})
		if err != nil {
			return err
		}
		err = p.ready(ctx)
		// After a kill -9 the old backends live on for a moment and hold the shared
		// memory; half of the immediate restarts meet them. Many of them say behind it how they end.
		if err == nil || !strings.Contains(tail(p.log(), 10_000), "pre-existing shared memory block") {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ready waits until the server answers from our own data directory.
func (p *Postgres) ready(ctx context.Context) error {
	for {
		err := p.answers(ctx)
		if !p.process.alive() {
			return p.process.exited()
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w; the end of %s:\n%s", context.Cause(ctx), err, p.log(), tail(p.log(), 15))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *Postgres) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.URL(""))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var dir string
	if err := conn.QueryRow(ctx, "show data_directory").Scan(&dir); err != nil {
		return err
	}
	if dir != p.data() {
		return fmt.Errorf("another server, of %s, answers on port %d", dir, p.port)
	}
	return nil
}

// stop ends the server fast (SIGINT): SIGTERM would wait for clients, and a kill
// would leave its shared memory behind.
func (p *Postgres) stop() error { return p.process.end(syscall.SIGINT, time.Minute) }

// Close stops the server and removes data and log, unless PostgresConfig.Dir named
// the place or Keep was called.
func (p *Postgres) Close() error {
	err := p.stop()
	p.nursery.close()
	if !p.keep {
		err = errors.Join(err, p.remove())
	}
	return err
}

// remove removes data and log. The backends of a server that was killed write on for a moment.
func (p *Postgres) remove() error {
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if err := os.RemoveAll(p.cfg.Dir); err == nil || time.Since(began) > startIn {
			return err
		}
	}
}

// CloseAfter closes the server when the test ends; of a failed test it keeps data
// and log and says where.
func (p *Postgres) CloseAfter(t T) { closeAfter(t, p) }
