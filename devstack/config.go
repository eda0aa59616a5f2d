package devstack

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/leatdev/leat/schema/registry"
)

// DefaultListen is the address that `leat dev` listens on: Kafka's usual port, on this machine only.
const DefaultListen = "127.0.0.1:9092"

// Config says where a stack keeps its data and where it listens; the zero value is a temporary
// directory and a free port on loopback.
type Config struct {
	// Dir keeps everything: the broker's log in kafka, SQLite files in sql, schemas in registry.db. It is made where it is
	// missing. Empty: a temporary directory that goes with Close.
	Dir string
	// Listen is the broker's address, host:port; port 0 is any free one. Empty: 127.0.0.1:0.
	Listen string
	// Advertise is the address that the broker tells its clients, host:port. Empty: the address it
	// listens on, with 127.0.0.1 in place of a wildcard.
	Advertise string
	// Registry is the schema registry's address, host:port; port 0 is any free one. Its schemas are in
	// registry.db. Everyone who can connect may do everything. Empty: there is no registry.
	Registry string
	// Partitions is the number of partitions of a topic that is created without saying. 0: 6.
	Partitions int
	// Logger takes the stack's and the broker's log. nil: slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Partitions == 0 {
		c.Partitions = 6
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen address %q: %w (write host:port, for example %s)", c.Listen, err, DefaultListen))
	}
	if c.Advertise != "" {
		if host, port, err := net.SplitHostPort(c.Advertise); err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("advertised address %q: want host:port", c.Advertise))
		}
	}
	if c.Registry != "" {
		if _, _, err := net.SplitHostPort(c.Registry); err != nil {
			errs = append(errs, fmt.Errorf("registry address %q: %w (write host:port, for example %s)", c.Registry, err, registry.DefaultListen))
		}
	}
	if c.Partitions < 1 || c.Partitions > 10_000 {
		errs = append(errs, fmt.Errorf("partitions %d: want 1 to 10000", c.Partitions))
	}
	return errors.Join(errs...)
}
