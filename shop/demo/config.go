package demo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"time"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop"
)

// Config says what to drive and how hard.
type Config struct {
	// Orders is how many orders there are to be in all, those of earlier runs on Dir included;
	// 0: with Exit 1000, otherwise no end.
	Orders int
	// Rate is how many orders to place per second; 0: with Exit as fast as the shop takes them,
	// otherwise 5.
	Rate float64
	// Seed makes the orders and the trouble; on a directory with a journal it has to be the
	// journal's. 0: the journal's, or a random one.
	Seed uint64
	// Trouble is the percentage of orders that meet trouble, 0 to 100.
	Trouble float64

	// Exit ends the run with the audit; false: a storefront is served until ctx ends.
	Exit bool
	// Listen is the address of the storefront, and of the shop behind it; "": 127.0.0.1:8080. With
	// Exit there is none, and the shop takes any free port.
	Listen string

	// Dir holds the journal, and what is embedded; "": a temporary directory.
	Dir string
	// Kafka is the cluster; without Brokers it is embedded, or with Attach localhost:9092.
	Kafka kafka.Config
	// Registry is the schema registry beside the cluster of Kafka; without URLs, and beside the embedded
	// cluster, there is one in Dir.
	Registry service.RegistryConfig
	// DatabaseURL is where the databases are; "": SQLite files in Dir.
	DatabaseURL string
	// Prefix stands before the names of topics and groups; "": none where the cluster is embedded or
	// attached to, otherwise one that the journal keeps, so that each directory has topics of its
	// own.
	Prefix string
	// Attach are base URLs of services that run elsewhere; none: the services run in this process.
	Attach []string

	// Shop configures the services that run in this process. Notices that are not taken wait for 0.5 s, 2 s
	// and then every 10 s where it does not say otherwise: nobody watches for a day.
	Shop shop.Config
	// JSON prints one object in place of text.
	JSON bool
	// Live redraws a table in place: Out is a terminal.
	Live bool
	// Out gets the summary, Err what is told on the way; nil: nobody.
	Out, Err io.Writer
	// Logger gets the services' log; nil: nobody.
	Logger *slog.Logger
}

// Defaults.
const (
	defaultOrders = 1000
	defaultRate   = 5.0
	endless       = math.MaxInt
)

// Validate names everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Orders < 0 {
		errs = append(errs, errors.New("Config.Orders can't be negative"))
	}
	if c.Rate < 0 {
		errs = append(errs, errors.New("Config.Rate can't be negative"))
	}
	if c.Trouble < 0 || c.Trouble > 100 {
		errs = append(errs, fmt.Errorf("trouble is a percentage, 0 to 100, not %g", c.Trouble))
	}
	for _, text := range c.Attach {
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("attach: %q is no base URL such as http://127.0.0.1:8080", text))
		}
	}
	if len(c.Attach) > 0 && c.DatabaseURL != "" {
		errs = append(errs, errors.New("attach drives services that have databases already: leave the database away"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	switch {
	case c.Exit:
		c.Orders = cmp.Or(c.Orders, defaultOrders)
		c.Listen = "127.0.0.1:0"
	default:
		c.Orders = cmp.Or(c.Orders, endless)
		c.Rate = cmp.Or(c.Rate, defaultRate)
		c.Listen = cmp.Or(c.Listen, "127.0.0.1:8080")
	}
	if waits := &c.Shop.Notification.Parking.Tiers; *waits == nil {
		*waits = []time.Duration{500 * time.Millisecond, 2 * time.Second, 10 * time.Second}
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Err == nil {
		c.Err = io.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// embedded says whether the cluster is to be started here.
func (c Config) embedded() bool { return len(c.Kafka.Brokers) == 0 && len(c.Attach) == 0 }
