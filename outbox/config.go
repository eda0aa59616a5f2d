package outbox

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/sqldb"
)

// Config says where a box lives and what it may publish.
type Config struct {
	// DB is the service's database. Needed.
	DB *sqldb.DB
	// Source is the service's name: the CloudEvents source of what it publishes. Needed.
	Source string
	// Group is the consumer group in whose name the inbox remembers. Empty: Source.
	Group string
	// Owns are the topics that may be published to; a type that none of them carries is refused.
	// None: nothing can be published, and handlers work all the same.
	Owns []leat.Topic
	// Codec encodes the events. Nil: leat.JSON.
	Codec leat.Codec
	// MaxBytes is the largest event that Publish takes, in bytes as leat.Message.Size counts them:
	// at most what the topics take (max.message.bytes). 0: 1,000,000.
	MaxBytes int
	// Payloads is where the data of large events goes; the event carries a reference to it, and
	// consumers fetch it from the same store. Nil: events larger than MaxBytes are refused.
	Payloads blob.Store
	// PayloadAbove is the size of data, in bytes, above which it goes there. 0: 512 KiB.
	PayloadAbove int
	// PayloadKeep is how long a payload is kept after the commit of its event: at least as long as
	// the event can come again, from its topic, a retry or the dead letters. 0: for ever.
	PayloadKeep time.Duration
	// InboxKeep is how long the inbox remembers an event: a repeat that comes later runs again. It
	// should exceed the time that a consumer may be behind. 0: 7 days; negative: for ever.
	InboxKeep time.Duration
	// Mode is how Publish hands events to the relay, and how that finds them: ModeMessage says them to the
	// write-ahead log of PostgreSQL, ModeRetain writes them to leat_outbox_kept, in the others they are rows
	// of leat_outbox. Empty: ModeExact.
	Mode Mode
	// Hook, where set, is called at the named commit points "once.committing" and
	// "once.committed"; tests of crashes set it.
	Hook func(point string)
	// Metrics counts. Nil: into nothing.
	Metrics *telemetry.Registry
	// Logger gets what heals by itself or needs a person. Nil: slog.Default().
	Logger *slog.Logger
}

// DefaultMaxBytes is the largest event that Publish takes where Config does not say: a broker's
// default for a whole batch, less its framing.
const DefaultMaxBytes = 1_000_000

// DefaultPayloadAbove is the size of data that goes to the store of payloads where Config does not
// say, in bytes.
const DefaultPayloadAbove = 512 << 10

// DefaultInboxKeep is how long the inbox remembers where Config does not say.
const DefaultInboxKeep = 7 * 24 * time.Hour

// Validate names everything that is wrong with the config.
func (c Config) Validate() error {
	var faults []error
	if c.DB == nil {
		faults = append(faults, errors.New("no DB: open one with sqldb.Open"))
	}
	if c.Source == "" {
		faults = append(faults, errors.New("no Source: give the service's name"))
	}
	if c.MaxBytes < 0 {
		faults = append(faults, fmt.Errorf("MaxBytes %d can't be negative", c.MaxBytes))
	}
	if c.PayloadAbove < 0 || c.PayloadKeep < 0 {
		faults = append(faults, errors.New("PayloadAbove and PayloadKeep can't be negative"))
	}
	if c.DB != nil {
		if err := c.Mode.fault(RelayConfig{Box: &Box{db: c.DB, cfg: Config{Mode: c.Mode}}}); err != nil {
			faults = append(faults, err)
		}
	}
	if _, err := leat.NewCatalog(c.Owns...); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Group == "" {
		c.Group = c.Source
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.PayloadAbove == 0 {
		c.PayloadAbove = DefaultPayloadAbove
	}
	if c.InboxKeep == 0 {
		c.InboxKeep = DefaultInboxKeep
	}
	if c.Hook == nil {
		c.Hook = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("service", c.Source)
	return c
}
