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
//	go run . -case consume            # or typed, produce, once, failing, joins, encode, decode, registry, transform, relay, latency, writers, order
//	go run . -case produce -json -rounds 5 -brokers 127.0.0.1:9092
//
// Without -brokers an embedded broker is started in a process of its own. relay, latency, writers and
// once need LEAT_TEST_POSTGRES and a real broker; order runs bin/leat on both stacks where it finds
// them; registry and registry-start run it beside Apicurio Registry, encode and decode need nothing.
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
// `go test` runs the contenders of consume, typed, produce, transform, failing, encode and decode with a
// few records.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
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
	flag.StringVar(&o.name, "case", "consume", strings.Join(slices.Sorted(maps.Keys(cases)), ", "))
	flag.StringVar(&o.contender, "contender", "", "run one contender in this process (used by the parent)")
	flag.StringVar(&o.brokers, "brokers", "", "brokers; empty: an embedded one in a process of its own")
	flag.StringVar(&o.topic, "topic", "", "topic that the contender works on (used by the parent)")
	flag.IntVar(&o.records, "records", 0, "records per round; 0: the case's own number")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the median is told")
	flag.StringVar(&o.profile, "profile", "", "file that the contender writes its CPU profile to; the last one stays")
	flag.BoolVar(&o.json, "json", false, "print one JSON object")
	only := flag.String("only", "", "contenders to run, with commas; empty: all")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
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
	only                            []string
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
	// Milliseconds are percentiles (p50, p90, p99) of the time from commit to consumer, where the case
	// takes it.
	Milliseconds map[string]float64 `json:"milliseconds,omitempty"`
	// WarmCPUPerM is the CPU per million of the second half of the records, where a JVM tells it: its
	// start and most of its compiling are over by then.
	WarmCPUPerM float64 `json:"warm_cpu_s_per_million,omitempty"`
	// SpanSeconds is the time from the first record to the last, where the case tells it.
	SpanSeconds float64 `json:"span_seconds,omitempty"`
	// Allocs is how often a contender allocated per record, where the case counts it.
	Allocs float64 `json:"allocs_per_record,omitempty"`
	// StartSeconds is the time until a server answers, RSSBytes what it holds at the end, OwnBytes that
	// without the pages of its program, Phases what each kind of request costs, where servers are the
	// contenders.
	StartSeconds float64            `json:"start_seconds,omitempty"`
	RSSBytes     int64              `json:"rss_bytes,omitempty"`
	OwnBytes     int64              `json:"own_bytes,omitempty"`
	Phases       map[string]figures `json:"phases,omitempty"`
	// Told is what else a case tells.
	Told map[string]float64 `json:"told,omitempty"`
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
		return fmt.Errorf("no case %q: there are %s", o.name, strings.Join(slices.Sorted(maps.Keys(cases)), ", "))
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
	if o.only != nil {
		c.contenders = slices.DeleteFunc(slices.Clone(c.contenders), func(name string) bool { return !slices.Contains(o.only, name) })
		if len(c.contenders) == 0 {
			return fmt.Errorf("case %s has none of the contenders %v", o.name, o.only)
		}
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
			fmt.Fprintf(os.Stderr, "round %d/%d %-12s %9.0f records/s  %6.2f CPU s/M  span %.2f s  servers %.3v  ms %v  told %v\n", round+1, o.rounds, name, f.RecordsPerS, f.CPUPerM, f.SpanSeconds, f.Servers, f.Milliseconds, f.Told)
		}
	}
	for _, name := range c.contenders {
		res.Contenders[name] = median(rounds[name], c.bySpan)
		res.Ratio[name] = res.Contenders[name].CPUPerM / res.Contenders[c.contenders[0]].CPUPerM
	}
	return print(res, c.contenders, o.json)
}

func orNone(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v)
}

// median is the round in the middle: by latency or span where that is the case's figure, else by CPU.
func median(all []figures, bySpan bool) figures {
	slices.SortFunc(all, func(a, b figures) int {
		if bySpan {
			return cmp.Compare(a.SpanSeconds, b.SpanSeconds)
		}
		if a.Phases == nil && a.StartSeconds > 0 {
			return cmp.Compare(a.StartSeconds, b.StartSeconds)
		}
		if a.Milliseconds != nil {
			return cmp.Compare(a.Milliseconds["p50"], b.Milliseconds["p50"])
		}
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

// ms is a percentile as it is shown.
func (f figures) ms(p string) string {
	if f.Milliseconds == nil {
		return ""
	}
	return fmt.Sprintf("%.1f", f.Milliseconds[p])
}

func print(res result, order []string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(res)
	}
	fmt.Printf("%s on %s, median of %d\n", res.Case, res.Machine, res.Rounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join([]string{"contender", "records/s", "CPU s/M", "ratio", "warm", "span s", "RSS MB", "servers", "p50 ms", "p99 ms", ""}, "\t"))
	for _, name := range order {
		f := res.Contenders[name]
		servers := ""
		for _, server := range slices.Sorted(maps.Keys(f.Servers)) {
			servers += fmt.Sprintf(" %s %.2f", server, f.Servers[server])
		}
		for _, what := range slices.Sorted(maps.Keys(f.Told)) {
			servers += fmt.Sprintf(" %s %.0f", what, f.Told[what])
		}
		for _, phase := range slices.Sorted(maps.Keys(f.Phases)) {
			p := f.Phases[phase]
			fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2fx\t\t\t\t\t%s\t%s\t\n", name+", "+phase, p.RecordsPerS, p.CPUPerM, p.CPUPerM/res.Contenders[order[0]].Phases[phase].CPUPerM, p.ms("p50"), p.ms("p99"))
		}
		if f.Allocs > 0.5 {
			servers += fmt.Sprintf(" %.0f allocs", f.Allocs)
		}
		if f.StartSeconds > 0 {
			servers += fmt.Sprintf(" started in %.3f s, holds %.1f MB, %.1f of its own", f.StartSeconds, float64(f.RSSBytes)/(1<<20), float64(f.OwnBytes)/(1<<20))
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2fx\t%s\t%s\t%d\t%s\t%s\t%s\t\n", name, f.RecordsPerS, f.CPUPerM, res.Ratio[name], orNone(f.WarmCPUPerM), orNone(f.SpanSeconds), f.PeakRSSBytes>>20, servers, f.ms("p50"), f.ms("p99"))
	}
	return w.Flush()
}
