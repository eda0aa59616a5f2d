package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
	"github.com/leatdev/leat/schema/registry"
	"github.com/leatdev/leat/sqldb"
)

// Languages are the schema languages that leat knows, in the order in which a registry names them.
func Languages() []schema.Language {
	return []schema.Language{jsonschema.Format, protobuf.Format, avro.Language}
}

// Registry is a running schema registry on a file of its own.
type Registry struct {
	url  string
	stop context.CancelFunc
	done chan error
	db   *sqldb.DB
}

// OpenRegistry starts a schema registry on dir's registry.db, beside a cluster that has none. Listen is
// its address, host:port; port 0 is any free one. ctx bounds the start alone.
func OpenRegistry(ctx context.Context, dir, listen string, logger *slog.Logger) (*Registry, error) {
	return startRegistry(ctx, dir, Config{Registry: listen, Logger: logger}.withDefaults())
}

func startRegistry(ctx context.Context, dir string, cfg Config) (*Registry, error) {
	db, err := sqldb.Open(ctx, sqldb.Config{URL: "sqlite:" + filepath.Join(dir, "registry.db"), Synchronous: sqldb.Normal, MaxConns: 1, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	s := &Registry{db: db, done: make(chan error, 1)}
	log, err := registry.OpenSQLite(ctx, db)
	if err != nil {
		db.Close()
		return nil, err
	}
	srv, err := registry.New(registry.Config{Listen: cfg.Registry, Log: log, Languages: Languages(), Insecure: true, Logger: cfg.Logger})
	if err != nil {
		db.Close()
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx)) // ends with close
	s.stop = stop
	go func() { s.done <- srv.Run(run) }() // ended and waited for by close
	select {
	case <-srv.Ready():
		s.url = srv.URL()
		return s, nil
	case err := <-s.done:
		s.done <- nil
		return nil, errors.Join(fmt.Errorf("start the schema registry: %w; name another address for it, or none", err), s.Close())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), s.Close())
	}
}

// URL is where the registry answers, http://host:port.
func (s *Registry) URL() string { return s.url }

// Close stops the registry; call it once.
func (s *Registry) Close() error {
	if s == nil {
		return nil
	}
	s.stop()
	err := <-s.done
	s.db.Close()
	return err
}

// Registry is where the schema registry answers, http://host:port; "" where there is none.
func (s *Stack) Registry() string {
	if s.schemas == nil {
		return ""
	}
	return s.schemas.url
}
