package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// Stack is a running broker with its data directory.
type Stack struct {
	dir     string
	id      string
	addr    string
	cluster *kfake.Cluster
	schemas *Registry // nil: none
	lock    *os.File
	temp    bool
	close   sync.Once
	err     error // of Close
}

// keepAll keeps the broker from ever deleting a record or a committed offset: see the package's
// guarantees. These win over what an earlier start wrote down. The cleaner's pause of a hundred
// years is what keeps a topic's own cleanup.policy, retention.ms and retention.bytes from acting.
var keepAll = map[string]string{
	"log.retention.ms":          "-1",
	"log.retention.bytes":       "-1",
	"log.cleaner.backoff.ms":    "3153600000000",
	"offsets.retention.minutes": "2147483647",
}

// Open starts a stack. It fails when the directory is in use, with the process that holds it, or
// when the address is taken. ctx bounds the start alone; Close stops the stack.
func Open(ctx context.Context, cfg Config) (*Stack, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Stack{dir: cfg.Dir}
	if err := s.takeDir(); err != nil {
		return nil, err
	}
	if err := s.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.leaveDir())
	}
	if cfg.Registry != "" {
		var err error
		if s.schemas, err = startRegistry(ctx, s.dir, cfg); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// takeDir makes the directory, locks it, and reads or writes the cluster's id.
func (s *Stack) takeDir() error {
	var err error
	if s.temp = s.dir == ""; s.temp {
		if s.dir, err = os.MkdirTemp("", "leat-"); err != nil {
			return fmt.Errorf("make a temporary data directory: %w", err)
		}
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	if err = os.MkdirAll(filepath.Join(s.dir, "sql"), 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	if s.id, err = clusterID(s.dir); err != nil {
		return errors.Join(err, s.leaveDir())
	}
	return nil
}

// clusterID is the id that the directory's first start chose. The file is written whole or not at
// all, before the broker's first: an id that was handed out stays.
func clusterID(dir string) (string, error) {
	path := filepath.Join(dir, "cluster-id")
	data, err := os.ReadFile(path)
	if err == nil {
		id := strings.TrimSpace(string(data))
		if !strings.HasPrefix(id, kafka.EmbeddedPrefix) {
			return "", fmt.Errorf("%s holds %q, not the id of an embedded broker: it is no data directory of leat, or damaged", path, id)
		}
		return id, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the cluster's id: %w", err)
	}
	id := kafka.EmbeddedPrefix + leat.NewID()
	if err := os.WriteFile(path+".new", []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the cluster's id: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("write the cluster's id: %w", err)
	}
	return id, nil
}

func (s *Stack) start(ctx context.Context, cfg Config) error {
	ln, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	s.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(ln.handOver),
		kfake.ClusterID(s.id),
		kfake.DataDir(filepath.Join(s.dir, "kafka")),
		kfake.BrokerConfigs(keepAll),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(cfg.Partitions),
		kfake.WithLogger(brokerLog{cfg.Logger}),
	)
	if err != nil {
		return errors.Join(fmt.Errorf("start the embedded broker on %s: %w", s.dir, err), ln.Close())
	}
	s.addr = ln.Addr().String()
	cfg.Logger.Debug("embedded broker is up", slog.String("address", s.addr), slog.String("dir", s.dir))
	return nil
}

// Brokers is the address that clients connect to.
func (s *Stack) Brokers() []string { return []string{s.addr} }

// Config is how leat's own rooms reach the broker.
func (s *Stack) Config() kafka.Config { return kafka.Config{Brokers: s.Brokers()} }

// ClusterID is the broker's cluster id; it stays with the directory.
func (s *Stack) ClusterID() string { return s.id }

// Dir is the data directory, absolute.
func (s *Stack) Dir() string { return s.dir }

// DatabaseURL says where services keep their SQLite files, one each: sqlite:DIR/sql.
func (s *Stack) DatabaseURL() string { return "sqlite:" + filepath.Join(s.dir, "sql") }

// Close stops registry and broker, writes down what a quick start needs, and lets the directory go; a
// temporary one is removed. Further calls do nothing and answer the same.
func (s *Stack) Close() error {
	s.close.Do(func() {
		s.err = s.schemas.Close()
		s.cluster.Close()
		s.err = errors.Join(s.err, s.leaveDir())
	})
	return s.err
}

func (s *Stack) leaveDir() error {
	var errs []error
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.temp {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("leave the data directory: %w", err)
	}
	return nil
}
