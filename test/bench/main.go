// Command bench measures leat beside the raw client, in one go, and prints ratios.
//
// # What
//
// Each contender of a case runs in a process of its own, so that its CPU is its own; the rounds
// alternate between them; the median of the rounds is told. CPU seconds per million records are the
// fair figure on a busy machine, records per second only on a quiet one.
//
// # Use
//
//	go run . -case consume            # or produce, transform, relay, order
//	go run . -case produce -json -rounds 5 -brokers 127.0.0.1:9092
//
// Without -brokers an embedded broker is started in a process of its own. relay needs
// LEAT_TEST_POSTGRES and a real broker; order runs bin/leat on both stacks where it finds them.
//
// # Guarantees
//
// A contender that handles another number of records than asked for is an error, not a result.
//
// # Failure
//
// Exit 1 with the contender's output.
//
// # Test
//
// `go test` runs the contenders of consume, produce and transform with a few records.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

func main() {
	if os.Getenv(brokerMode) != "" {
		if err := serveBroker(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	o := options{}
	flag.StringVar(&o.name, "case", "consume", "consume, produce, transform, relay or order")
	flag.StringVar(&o.contender, "contender", "", "run one contender in this process (used by the parent)")
	flag.StringVar(&o.brokers, "brokers", "", "brokers; empty: an embedded one in a process of its own")
	flag.StringVar(&o.topic, "topic", "", "topic that the contender works on (used by the parent)")
	flag.IntVar(&o.records, "records", 0, "records per round; 0: the case's own number")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the median is told")
	flag.StringVar(&o.profile, "profile", "", "file that the contender writes its CPU profile to; the last one stays")
	flag.BoolVar(&o.json, "json", false, "print one JSON object")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	name, contender, brokers, topic string
	profile                         string
	records, rounds                 int
	json                            bool
}

// figures are what one contender did in one round.
type figures struct {
	Records      int     `json:"records"`
	Seconds      float64 `json:"seconds"`
	CPUSeconds   float64 `json:"cpu_seconds"`
	RecordsPerS  float64 `json:"records_per_s"`
	CPUPerM      float64 `json:"cpu_s_per_million"`
	PeakRSSBytes int64   `json:"peak_rss_bytes"`
	// Servers is the CPU per million of the servers beside it, where the case tells.
	Servers map[string]float64 `json:"servers_cpu_s_per_million,omitempty"`
}

type result struct {
	Case       string             `json:"case"`
	Machine    string             `json:"machine"`
	Rounds     int                `json:"rounds"`
	Contenders map[string]figures `json:"contenders"` // medians
	Ratio      map[string]float64 `json:"ratio"`      // CPU per million against the first contender
}

func run(ctx context.Context, o options) error {
	c, ok := cases[o.name]
	if !ok {
		return fmt.Errorf("no case %q: there are consume, produce, transform, relay and order", o.name)
	}
	if o.records == 0 {
		o.records = c.records
	}
	if o.contender != "" {
		return contend(ctx, o, c)
	}
	if o.brokers == "" && !c.ownBroker {
		stop, brokers, err := startBroker(ctx)
		if err != nil {
			return err
		}
		defer stop()
		o.brokers = brokers
	}
	res := result{Case: o.name, Machine: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), Rounds: o.rounds, Contenders: map[string]figures{}, Ratio: map[string]float64{}}
	rounds := map[string][]figures{}
	for round := range o.rounds {
		for _, name := range c.contenders {
			f, err := c.measure(ctx, o, name, round)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", o.name, name, err)
			}
			rounds[name] = append(rounds[name], f)
			fmt.Fprintf(os.Stderr, "round %d/%d %-12s %9.0f records/s  %6.2f CPU s/M  servers %.2v\n", round+1, o.rounds, name, f.RecordsPerS, f.CPUPerM, f.Servers)
		}
	}
	for _, name := range c.contenders {
		res.Contenders[name] = median(rounds[name])
		res.Ratio[name] = res.Contenders[name].CPUPerM / res.Contenders[c.contenders[0]].CPUPerM
	}
	return print(res, c.contenders, o.json)
}

func median(all []figures) figures {
	slices.SortFunc(all, func(a, b figures) int {
		switch {
		case a.CPUPerM < b.CPUPerM:
			return -1
		case a.CPUPerM > b.CPUPerM:
			return 1
		}
		return 0
	})
	return all[len(all)/2]
}

func print(res result, order []string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(res)
	}
	fmt.Printf("%s on %s, median of %d\n", res.Case, res.Machine, res.Rounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join([]string{"contender", "records/s", "CPU s/M", "ratio", "RSS MB", ""}, "\t"))
	for _, name := range order {
		f := res.Contenders[name]
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2fx\t%d\t\n", name, f.RecordsPerS, f.CPUPerM, res.Ratio[name], f.PeakRSSBytes>>20)
	}
	return w.Flush()
}
