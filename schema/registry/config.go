package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/schema"
)

// DefaultListen is where `leat registry serve` and `leat dev` listen: the usual port of schema
// registries, on this machine only.
const DefaultListen = "127.0.0.1:8081"

// Config is what a registry is made of.
type Config struct {
	// Listen is the address, host:port; port 0 is any free one. "": 127.0.0.1:0.
	Listen string
	// Log holds the records. Required.
	Log Log
	// Languages are the schema languages that can be registered, in the order that clients are told.
	// Required.
	Languages []schema.Language
	// Level is the compatibility level where none is set. "": BACKWARD.
	Level schema.Level
	// TLS has the server's certificate; with ClientCAs and ClientAuth, callers are known by theirs.
	// RootCAs are the authorities of the other registries, to which this one shows its certificate; nil:
	// the system's. nil: plain HTTP.
	TLS *tls.Config
	// Users are who may do what. nil: everyone may do everything, on loopback only.
	Users *Users
	// Insecure allows an address that others can reach without TLS or without users.
	Insecure bool
	// LogTimeout bounds how long a command waits for the log, in all. 0: 10 seconds.
	LogTimeout time.Duration
	// Version is what /v1/metadata/version answers. "": unknown.
	Version string
	// Metrics takes the metrics. nil: none are kept.
	Metrics *telemetry.Registry
	// Logger takes the log. nil: slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Level == "" {
		c.Level = schema.Backward
	}
	if c.LogTimeout == 0 {
		c.LogTimeout = 10 * time.Second
	}
	if c.Version == "" {
		c.Version = "unknown"
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
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("listen address %q: %w (write host:port, for example %s)", c.Listen, err, DefaultListen))
	} else if !loopback(host) && !c.Insecure && (c.TLS == nil || c.Users == nil) {
		errs = append(errs, fmt.Errorf("listen address %q can be reached by others: it needs TLS and users; without both only when told that this is meant (--insecure)", c.Listen))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("a log is missing"))
	}
	if len(c.Languages) == 0 {
		errs = append(errs, errors.New("languages are missing"))
	}
	if _, err := schema.ParseLevel(string(c.Level)); err != nil {
		errs = append(errs, err)
	}
	if c.LogTimeout < 0 {
		errs = append(errs, fmt.Errorf("LogTimeout %s is negative", c.LogTimeout))
	}
	return errors.Join(errs...)
}

// loopback says whether a host is this machine only. A name other than localhost may be anything.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
