package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
)

// Demo is what the command line asks of the demo.
type Demo struct {
	Orders  int      // ever placed in the data directory; 0: no end, with Exit the demo's default
	Rate    float64  // orders per second; 0: as fast as they end
	Seed    uint64   // 0: a random one
	Trouble float64  // percent of the orders that meet trouble
	Exit    bool     // wait for the end, audit, leave
	Data    string   // directory that stays; "": a temporary one
	Kafka   string   // brokers, host:port with commas; "": the embedded broker
	DB      string   // database URL; "": SQLite in the data directory
	Prefix  string   // before the names of topics and groups
	Attach  []string // base URLs of services that run elsewhere
	Listen  string   // address of the storefront
	JSON    bool     // one object in place of text

	Connect  kafka.Config           // the cluster, with all its properties; no Brokers: the embedded one
	Registry service.RegistryConfig // beside that cluster; no URLs: one of the demo's own
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool         // Stdout is one, and may be redrawn
	Logger   *slog.Logger // for what runs underneath
}

func (a *app) demoCommand() *cobra.Command {
	var d Demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the shop under load and trouble, and audit it",
		Long: `demo runs the five services of the shop in this process, on an embedded broker and SQLite or on the given
cluster and database, and drives them through their HTTP API by a seeded load that also makes trouble:
declined payments, empty stock, a gateway that fails and hangs, full mailboxes, cancels, records that
are no events, events sent twice.

Without --exit it serves a storefront until Ctrl-C. With --exit it waits until every order has ended,
audits, prints the summary, and leaves with 0 only if nothing is lost, doubled or out of balance, else
with 3. --data keeps everything: killed at any moment, the same command goes on where it was.`,
		Example:     "  leat demo\n  leat demo --orders 2000 --trouble 20 --exit -o json\n  leat demo --kafka localhost:9092 --db postgres://localhost/shop --orders 1000 --exit",
		Args:        cobra.NoArgs,
		Annotations: map[string]string{outputAnnotation: "text,json"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.check(); err != nil {
				return err
			}
			if d.Kafka != "" {
				if err := a.flags["kafka-brokers"].Value.Set(d.Kafka); err != nil {
					return usagef("--kafka: %w", err)
				}
			}
			host, err := a.load()
			if err != nil {
				return err
			}
			d.Connect, d.Registry, d.JSON = host.Kafka, host.Registry, a.output == formJSON
			if d.Kafka == "" && len(d.Attach) == 0 {
				d.Connect.Brokers = nil // the embedded broker, whatever the environment says
			}
			d.Stdout, d.Stderr, d.Terminal, d.Logger = a.cfg.Stdout, a.cfg.Stderr, a.redraws(), a.logger()
			ctx := cmd.Context()
			err = a.cfg.Demo(ctx, d)
			if err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
				if !d.Exit {
					return nil // Ctrl-C is how it ends
				}
				return errors.New("interrupted before the audit")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.IntVar(&d.Orders, "orders", 0, "orders to place, with those already in --data; 0: no end, or with --exit 1000")
	f.Float64Var(&d.Rate, "rate", 0, "orders per second; 0: 5, or with --exit as fast as they end")
	f.Uint64Var(&d.Seed, "seed", 0, "seed of load and trouble; 0: a random one")
	f.Float64Var(&d.Trouble, "trouble", 10, "percent of the orders that meet trouble")
	f.BoolVar(&d.Exit, "exit", false, "wait until every order has ended, audit and leave")
	f.StringVar(&d.Data, "data", "", "`directory` that keeps everything; default: a temporary one")
	f.StringVar(&d.Kafka, "kafka", "", "`brokers`, host:port with commas; default: an embedded broker")
	f.StringVar(&d.DB, "db", "", "database `URL`: sqlite:DIR or postgres://...; default: SQLite in the data directory")
	f.StringVar(&d.Prefix, "prefix", "", "`text` before the names of topics and groups; default with --kafka: one of the data directory")
	f.StringArrayVar(&d.Attach, "attach", nil, "base `URL` of services that run elsewhere, to drive and audit; repeat for more")
	f.StringVar(&d.Listen, "listen", "127.0.0.1:8080", "`address` of the storefront")
	f.StringP("output", "o", "text", "form of the summary: text or json")
	return cmd
}

func (d *Demo) check() error {
	switch {
	case d.Orders < 0:
		return usagef("--orders %d: want 0 or more", d.Orders)
	case d.Rate < 0:
		return usagef("--rate %g: want 0 or more", d.Rate)
	case d.Trouble < 0 || d.Trouble > 100:
		return usagef("--trouble %g: want a percentage", d.Trouble)
	case len(d.Attach) > 0 && d.DB != "":
		return usagef("--attach drives services that have databases already: leave --db away")
	}
	return nil
}

// redraws says whether stdout is a terminal whose lines can be written over.
func (a *app) redraws() bool { return isTerminal(a.cfg.Stdout) && a.getenv("TERM") != "dumb" }
