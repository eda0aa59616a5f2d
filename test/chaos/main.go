// Command chaos runs the shop under seeded faults and audits what it did.
//
// # What
//
// A real cluster of three Kafka brokers, a real PostgreSQL, the shop's services as processes of their
// own, two or three of each, and beside them writers, with a service that copies what they send by an
// exactly-once transform. Customers order through HTTP. A schedule drawn from the seed kills processes
// with -9, freezes them for longer than their sessions, kills and freezes leaders, restarts the
// database, cuts single clients off single brokers and loses or delays exactly the requests and replies
// that transactions and offsets hang on (test/chaos/proxy). Whoever acts writes down what it does; at
// the end everything heals, the work drains, all topics and tables are read whole, and test/chaos/audit
// judges.
//
// # Use
//
//	go run ./test/chaos -seed 7 -profile mixed -for 5m
//	go run ./test/chaos -audit DIR   # judge the histories of a run again
//
// # Guarantees
//
// The seed makes the orders, the trouble and the schedule; how processes interleave it does not, so a
// seed that failed is worth running several times. Exit status 0 says that nothing was found, 1 that
// something was, 2 that the run itself could not be made.
//
// # Failure
//
// A run that failed keeps its directory with histories, schedule and logs, names it, and says how to
// run it again.
//
// # Test
//
// Its own tests run a seed for half a minute. The schedule is a pure function with a table.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/leatdev/leat/test/chaos/audit"
)

func main() {
	if actAsTold() {
		return
	}
	os.Exit(run(os.Args[1:]))
}

// run is main without the exit, so that what is deferred runs.
func run(args []string) int {
	var cfg Config
	var again string
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.Uint64Var(&cfg.Seed, "seed", 0, "seed of orders, trouble and schedule; 0: a random one")
	flags.StringVar(&cfg.Profile, "profile", "mixed", "which faults: "+profileNames())
	flags.DurationVar(&cfg.For, "for", 5*time.Minute, "how long faults come")
	flags.Float64Var(&cfg.Rate, "rate", 15, "orders per second")
	flags.DurationVar(&cfg.Drain, "drain", 3*time.Minute, "longest wait for the work to end after the last fault")
	flags.StringVar(&cfg.Dir, "dir", "", "`directory` for histories and logs, kept; default: a temporary one, kept if the run fails")
	flags.StringVar(&again, "audit", "", "judge the histories in this `directory` and do nothing else")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if again != "" {
		return judge(again)
	}
	cfg.Out = os.Stderr
	report, err := Run(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	if !report.OK {
		return 1
	}
	return 0
}

// judge audits the histories of an earlier run.
func judge(dir string) int {
	histories, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err == nil && len(histories) == 0 {
		err = fmt.Errorf("there are no histories (*.ndjson) in %s", dir)
	}
	var report *audit.Report
	if err == nil {
		report, err = audit.Audit(histories...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	fmt.Println(summary(report))
	for _, f := range report.Findings {
		fmt.Println(f)
	}
	if len(report.Findings) > 0 {
		return 1
	}
	return 0
}

func summary(r *audit.Report) string {
	return fmt.Sprintf("%d lines of history: %d records written and %d read by actors, %d in the log, %d effects, %d dead letters, %d orders",
		r.Lines, r.Writes, r.Reads, r.Records, r.Effects, r.Letters, r.Orders)
}
