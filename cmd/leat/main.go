// Command leat is the door of the system: it hands the shop's services to the command line.
//
// # What
//
// Every command is in internal/cli; what it runs comes in here as values.
//
// # Use
//
//	leat demo
//	leat dev
//	leat run order payment
//
// # Guarantees
//
// See internal/cli.
//
// # Failure
//
// A wrong LEAT_SHOP_ variable ends every command with status 2.
//
// # Test
//
// test/e2e runs the binary.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/shop"
	"github.com/leatdev/leat/shop/demo"
)

func main() {
	cfg, err := shop.ConfigFromEnv(os.Getenv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "leat: %v\n", err)
		os.Exit(2)
	}
	cli.Main(cli.Config{
		Services: shop.Services(cfg),
		Demo:     func(ctx context.Context, d cli.Demo) error { return runDemo(ctx, d, cfg) },
	})
}

// demoMemory is how much of the machine the demo's Go heap should take, in bytes: above it the
// collector works harder. Soft, and far above what is alive.
const demoMemory = 64 << 20

// runDemo hands the demo what the command line asks of it.
func runDemo(ctx context.Context, d cli.Demo, services shop.Config) error {
	debug.SetMemoryLimit(demoMemory)
	r, err := demo.Run(ctx, demo.Config{
		Orders: d.Orders, Rate: d.Rate, Seed: d.Seed, Trouble: d.Trouble,
		Exit: d.Exit, Listen: d.Listen,
		Dir: d.Data, Kafka: d.Connect, Registry: d.Registry, DatabaseURL: d.DB, Prefix: d.Prefix, Attach: d.Attach,
		Shop: services, JSON: d.JSON, Live: d.Terminal && !d.JSON,
		Out: d.Stdout, Err: d.Stderr, Logger: d.Logger,
	})
	if err != nil {
		return err
	}
	if n := len(r.Findings); n > 0 {
		return cli.Found(fmt.Sprintf("the audit found %d things that do not hold", n))
	}
	return nil
}
