package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/test/chaos/audit"
)

// Config says what a run is to be.
type Config struct {
	Seed    uint64        // 0: a random one
	Profile string        // a name of profiles
	For     time.Duration // how long faults come
	Drain   time.Duration // longest wait for the work to end after the last fault
	Rate    float64       // orders per second
	Dir     string        // for histories and logs; "": a temporary one that stays if the run fails
	Out     io.Writer     // what happens; nil: nobody
}

// Report is what came of a run.
type Report struct {
	Seed    uint64          `json:"seed"`
	Profile string          `json:"profile"`
	OK      bool            `json:"ok"`
	Faults  map[Kind]*tally `json:"faults"`
	Kills   int             `json:"kills"`   // kill -9, of processes, brokers and the database
	InHand  int             `json:"in_hand"` // of them, with work in hand
	Orders  int64           `json:"orders"`
	Spoilt  int64           `json:"spoilt"` // records that the load put on topics itself
	Drained time.Duration   `json:"drained"`
	Audit   *audit.Report   `json:"audit"`
}

// chaos is one run while it lasts.
type chaos struct {
	cfg      Config
	dir      string
	stage    *stage
	members  []*member
	services []service.Config
	logs     []*audit.Log
	watch    *watch
	load     *load
	readers  []*witness   // the first under read_committed
	reading  func() error // ends their reading
	alone    func() error // ends the watch over processes that end by themselves
	schedule []Step
	nemesis  *nemesis

	mu  sync.Mutex // guards what is told
	out io.Writer
}

// Run makes the system, lets it suffer, lets it come to rest, and judges it.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if _, ok := profiles[cfg.Profile]; !ok {
		return nil, fmt.Errorf("there is no profile %q: take one of %s", cfg.Profile, profileNames())
	}
	if cfg.Rate <= 0 || cfg.For <= 0 || cfg.Drain <= 0 {
		return nil, errors.New("rate, for and drain have to be above 0")
	}
	cfg.Seed = cmp.Or(cfg.Seed, rand.Uint64N(1_000_000)+1)
	c := &chaos{cfg: cfg, dir: cfg.Dir, out: cfg.Out, services: append(shop.Services(shop.Config{}), copier())}
	if c.out == nil {
		c.out = io.Discard
	}
	if err := c.makeDir(); err != nil {
		return nil, err
	}
	again := fmt.Sprintf("go run ./test/chaos -seed %d -profile %s -for %v", cfg.Seed, cfg.Profile, cfg.For)
	c.tell("%s; histories and logs in %s", again, c.dir)
	report, err := c.run(ctx)
	err = errors.Join(err, c.close())
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w\nhistories and logs are in %s; again: %s", err, c.dir, again)
	case !report.OK:
		c.tell("FAILED: %v\nhistories and logs are in %s; judge them again: go run ./test/chaos -audit %s; run it again: %s", report.Audit.Counts, c.dir, c.dir, again)
	case cfg.Dir == "":
		return report, os.RemoveAll(c.dir)
	}
	return report, nil
}

func (c *chaos) makeDir() (err error) {
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "leat-chaos-"); err != nil {
			return fmt.Errorf("make a directory for the run: %w", err)
		}
	} else if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return fmt.Errorf("make a directory for the run: %w", err)
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return fmt.Errorf("find the run's directory: %w", err)
	}
	if old, _ := filepath.Glob(filepath.Join(c.dir, "*.ndjson")); len(old) > 0 {
		return fmt.Errorf("%s holds the histories of another run: name an empty directory", c.dir)
	}
	return os.Chmod(c.dir, 0o755) // PostgreSQL's user has to come through
}

func (c *chaos) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%s %s\n", time.Now().UTC().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func (c *chaos) close() error {
	var err error
	for _, end := range []func() error{c.alone, c.reading} {
		if end != nil {
			err = errors.Join(err, end())
		}
	}
	err = errors.Join(err, closeAll(c.members))
	for _, l := range c.logs {
		err = errors.Join(err, l.Close())
	}
	if c.stage != nil {
		err = errors.Join(err, c.stage.close())
	}
	for _, big := range []string{"kafka", "postgres", "leat"} { // what no history needs
		if c.cfg.Dir == "" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(c.dir, big)))
		}
	}
	return err
}

func (c *chaos) log(name string) (*audit.Log, error) {
	l, err := audit.Create(filepath.Join(c.dir, name+".ndjson"), name)
	if err == nil {
		c.logs = append(c.logs, l)
	}
	return l, err
}

// names are the processes of a run: two or three of each service, and two writers.
func (c *chaos) names() (processes map[string]string, services, writers []string) {
	processes = map[string]string{}
	r := rand.New(rand.NewPCG(c.cfg.Seed, 0))
	for _, s := range c.services {
		count := 2
		if !profiles[c.cfg.Profile].Short && r.IntN(3) == 0 {
			count = 3
		}
		for n := range count {
			name := fmt.Sprintf("%s-%d", s.Name, n+1)
			processes[name] = s.Name
			services = append(services, name)
		}
	}
	return processes, services, []string{"writer-1", "writer-2"}
}

// run is Run without what comes before and after.
func (c *chaos) run(ctx context.Context) (*Report, error) {
	processes, services, writers := c.names()
	var err error
	if c.stage, err = raise(ctx, c.dir, services); err != nil {
		return nil, fmt.Errorf("start the servers: %w", err)
	}
	c.tell("three brokers, PostgreSQL (a disk that can be filled: %v) and the proxy are up", c.stage.disk.small)
	if err := c.prepare(ctx, processes, services, writers); err != nil {
		return nil, err
	}
	if err := c.suffer(ctx); err != nil {
		return nil, err
	}
	report := &Report{
		Seed: c.cfg.Seed, Profile: c.cfg.Profile, Faults: c.nemesis.counts,
		Orders: c.load.placed.Load(), Spoilt: c.load.spoilt.Load(),
	}
	if err := c.rest(ctx, report); err != nil {
		return nil, err
	}
	for _, k := range []Kind{Kill, KillWriter, KillBroker, KillDB} {
		if t := report.Faults[k]; t != nil {
			report.Kills += t.Done
			report.InHand += t.InHand
		}
	}
	report.OK = len(report.Audit.Findings) == 0
	return report, c.sum(report)
}

// prepare starts all processes and everything that reads and writes beside them.
func (c *chaos) prepare(ctx context.Context, processes map[string]string, services, writers []string) error {
	var shopTopics []string
	for _, t := range contract.Topics() {
		shopTopics = append(shopTopics, t.Name)
	}
	topics := append(slices.Clip(shopTopics), sentTopic.Name, txnTopic.Name, copiedTopic.Name)
	var groups []string
	for _, s := range c.services {
		groups = append(groups, s.Name)
	}
	if err := c.makeTopics(ctx); err != nil {
		return err
	}
	if err := c.startAll(ctx, processes, services, writers); err != nil {
		return err
	}
	clusterLog, err := c.log("cluster")
	if err != nil {
		return err
	}
	if err := sample(ctx, clusterLog, c.members, true); err != nil {
		return err
	}
	if c.watch, err = newWatch(c.stage.kafka.Brokers(), clusterLog, topics, groups); err != nil {
		return err
	}
	for _, committed := range []bool{true, false} {
		name, read := "reader-committed", topics
		if !committed {
			name, read = "reader-uncommitted", []string{sentTopic.Name, txnTopic.Name, copiedTopic.Name}
		}
		log, err := c.log(name)
		if err != nil {
			return err
		}
		w, err := newWitness(c.stage.brokers, name, log, committed, read...)
		if err != nil {
			return err
		}
		c.readers = append(c.readers, w)
	}
	if err := c.makeLoad(); err != nil {
		return err
	}
	if err := c.load.fill(ctx); err != nil {
		return err
	}
	return c.plan(ctx, services, writers)
}

// makeTopics makes the writers' topics; the services make their own.
func (c *chaos) makeTopics(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.stage.kafka.Brokers()...))
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	for _, topic := range []string{sentTopic.Name, txnTopic.Name} {
		err := persist(ctx, func() error {
			_, err := kadm.NewClient(cl).CreateTopic(ctx, writerPartitions, 3, nil, topic)
			if errors.Is(err, kerr.TopicAlreadyExists) { // by a try whose answer came too late
				return nil
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("make the writers' topic %s: %w", topic, err)
		}
	}
	return nil
}

func (c *chaos) startAll(ctx context.Context, processes map[string]string, services, writers []string) error {
	addrs, err := server.FreeAddrs(len(services))
	if err != nil {
		return err
	}
	for i, name := range services {
		m, err := startService(c.stage, c.dir, name, processes[name], addrs[i])
		if err != nil {
			return err
		}
		c.members = append(c.members, m)
	}
	starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for _, m := range c.members {
		if err := m.waitReady(starting); err != nil {
			return err
		}
	}
	for _, name := range writers {
		m, err := startSelf(c.stage, c.dir, role{Name: name})
		if err != nil {
			return err
		}
		c.members = append(c.members, m)
	}
	c.tell("%d processes of %d services are ready", len(services), len(c.services))
	return nil
}

func (c *chaos) makeLoad() error {
	log, err := c.log("load")
	if err != nil {
		return err
	}
	raw, err := kgo.NewClient(kgo.SeedBrokers(c.stage.kafka.Brokers()...), kgo.RecordDeliveryTimeout(20*time.Second))
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	urls := map[string][]string{}
	for _, m := range c.members {
		if m.service != "" {
			urls[m.service] = append(urls[m.service], "http://"+m.addr)
		}
	}
	c.load = &load{seed: c.cfg.Seed, rate: c.cfg.Rate, urls: urls, log: log, raw: raw, witness: c.readers[0]}
	return nil
}

// plan draws the schedule and writes it down.
func (c *chaos) plan(ctx context.Context, services, writers []string) error {
	var ends map[string]kadm.ListedOffset
	err := persist(ctx, func() (err error) {
		ends, err = c.watch.ends(ctx, false)
		return err
	})
	if err != nil {
		return err
	}
	var names []string
	for _, s := range c.services {
		names = append(names, s.Name)
	}
	scene := Scene{Services: names, Processes: services, Writers: writers, Partitions: slices.Sorted(maps.Keys(ends)), Brokers: 3}
	c.schedule = schedule(c.cfg.Seed, profiles[c.cfg.Profile], scene, c.cfg.For)
	text, err := json.MarshalIndent(c.schedule, "", " ")
	if err != nil {
		return fmt.Errorf("encode the schedule: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "schedule.json"), text, 0o644); err != nil {
		return fmt.Errorf("write the schedule: %w", err)
	}
	members := map[string]*member{}
	for _, m := range c.members {
		members[m.name] = m
	}
	c.nemesis = &nemesis{stage: c.stage, members: members, dir: c.dir, tell: c.tell, counts: map[Kind]*tally{}}
	return nil
}

// suffer lets load and faults run for as long as they are to, then heals what is broken and stops the
// writers.
func (c *chaos) suffer(ctx context.Context) error {
	var open atomic.Int64
	c.load.open = func() int { return int(open.Load()) }
	during, cancel := context.WithTimeout(ctx, c.cfg.For)
	defer cancel()
	patience, done := context.WithTimeout(ctx, c.cfg.For+c.cfg.Drain)
	defer done()
	reading, stopReading := context.WithCancel(ctx)
	var readers errgroup.Group
	for _, w := range c.readers {
		readers.Go(func() error { return w.run(reading) })
	}
	c.reading = func() error { stopReading(); return readers.Wait() }
	supervising, stopSupervising := context.WithCancel(ctx)
	var supervisor errgroup.Group
	supervisor.Go(func() error { return c.nemesis.supervise(supervising) })
	c.alone = func() error { stopSupervising(); return supervisor.Wait() }
	var all errgroup.Group
	all.Go(func() error { return c.load.run(during, patience) })
	all.Go(func() error { return c.watch.run(during) })
	all.Go(func() error { return c.countOpen(during, &open) })
	all.Go(func() error {
		err := c.nemesis.run(during, c.schedule)
		c.tell("all faults are healed; %d orders were placed", c.load.placed.Load())
		return err
	})
	<-during.Done()
	for _, m := range c.members {
		if m.service == "" {
			m.busy.Lock() // behind its last fault
			m.told = true
			if err := m.program.End(2 * time.Minute); err != nil {
				return err
			}
			m.busy.Unlock()
		}
	}
	if err := all.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// countOpen keeps the number of what is under way, for the customers.
func (c *chaos) countOpen(ctx context.Context, open *atomic.Int64) error {
	for pause(ctx, 500*time.Millisecond) {
		conn, err := pgx.Connect(ctx, c.stage.postgres.URL(""))
		if err != nil {
			continue // it is down: the last number stands
		}
		if n, err := underWay(ctx, conn); err == nil {
			open.Store(int64(n))
		}
		_ = conn.Close(context.WithoutCancel(ctx))
	}
	return nil
}

// sum tells what came of it, and writes it down.
func (c *chaos) sum(r *Report) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "report.json"), text, 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Faults)) {
		t := r.Faults[k]
		c.tell("%-12s %3d, %d with work in hand, %d missed, %d frames", k, t.Done, t.InHand, t.Missed, t.Frames)
	}
	c.tell("%s", summary(r.Audit))
	for _, f := range r.Audit.Findings {
		c.tell("%s", f)
	}
	c.tell("seed %d, profile %s: %d kills, %d with work in hand; %d orders placed, %d records spoilt; drained in %v; %d findings",
		r.Seed, r.Profile, r.Kills, r.InHand, r.Orders, r.Spoilt, r.Drained.Round(time.Second), len(r.Audit.Findings))
	return nil
}
