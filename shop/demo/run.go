package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/lag"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop"
)

// Run places orders until there are cfg.Orders, waits until all have ended, audits, and tells. With
// cfg.Exit it returns then; otherwise it serves the storefront until ctx ends.
func Run(ctx context.Context, cfg Config) (Report, error) {
	begun := time.Now()
	if err := cfg.Validate(); err != nil {
		return Report{}, fmt.Errorf("configure the demo: %w", err)
	}
	d := &demo{cfg: cfg.withDefaults(), begun: begun}
	defer d.close()
	if err := d.open(ctx); err != nil {
		return Report{}, err
	}
	return d.run(ctx)
}

// demo is one run.
type demo struct {
	cfg      Config
	begun    time.Time
	url      string // of the storefront
	dir      string
	journal  *journal
	services []service.Config
	names    []string
	stack    *devstack.Stack // nil: the cluster is given
	cluster  *kafka.Client
	where    kafka.Config // the cluster's
	registry service.RegistryConfig
	shop     *client
	story    *story // nil: the services are not ours to change
	undo     []func()
}

// close undoes what open did, in reverse.
func (d *demo) close() {
	for i := len(d.undo) - 1; i >= 0; i-- {
		d.undo[i]()
	}
}

// open starts or finds everything that a run needs.
func (d *demo) open(ctx context.Context) error {
	if err := d.takeDir(); err != nil {
		return err
	}
	where := d.cfg.Kafka
	if d.cfg.embedded() {
		stack, err := devstack.Open(ctx, devstack.Config{Dir: d.dir, Registry: anyPort, Logger: d.cfg.Logger})
		if err != nil {
			return fmt.Errorf("start the embedded stack: %w", err)
		}
		d.stack = stack
		d.undo = append(d.undo, func() { _ = stack.Close() })
		brokers := stack.Config()
		brokers.Properties = where.Properties
		where = brokers
	}
	if err := d.openRegistry(ctx); err != nil {
		return err
	}
	where.Logger = d.cfg.Logger
	d.where = where
	if err := d.openJournal(); err != nil {
		return err
	}
	var err error
	if d.cluster, err = kafka.Open(ctx, sparing(where)); err != nil {
		return fmt.Errorf("reach Kafka: %w", err)
	}
	d.undo = append(d.undo, d.cluster.Close)
	d.services = shop.Services(d.cfg.Shop)
	for _, s := range d.services {
		d.names = append(d.names, s.Name)
	}
	urls := d.cfg.Attach
	if len(urls) == 0 {
		url, err := d.host(ctx, where)
		if err != nil {
			return err
		}
		urls = []string{url}
	} else if !d.cfg.Exit {
		if err := d.proxy(); err != nil {
			return err
		}
	}
	d.shop = newClient()
	return d.shop.find(ctx, urls, d.names)
}

const anyPort = "127.0.0.1:0"

// openRegistry finds or starts the schema registry that the services in this process need.
func (d *demo) openRegistry(ctx context.Context) error {
	d.registry = d.cfg.Registry
	switch {
	case len(d.cfg.Attach) > 0:
		return nil
	case d.stack != nil:
		d.registry = service.RegistryConfig{URLs: []string{d.stack.Registry()}, Schemas: service.SchemasRegister}
	case len(d.registry.URLs) == 0:
		own, err := devstack.OpenRegistry(ctx, d.dir, anyPort, d.cfg.Logger)
		if err != nil {
			return err
		}
		d.undo = append(d.undo, func() { _ = own.Close() })
		d.registry = service.RegistryConfig{URLs: []string{own.URL()}, Schemas: service.SchemasRegister}
	}
	return nil
}

// sparing is where with small fetches: the audit reads whole topics, and has no hurry.
func sparing(where kafka.Config) kafka.Config {
	properties := map[string]string{"fetch.max.bytes": "2097152", "max.partition.fetch.bytes": "131072"}
	maps.Copy(properties, where.Properties)
	where.Properties = properties
	return where
}

func (d *demo) takeDir() error {
	d.dir = d.cfg.Dir
	if d.dir != "" {
		if err := os.MkdirAll(d.dir, 0o700); err != nil {
			return fmt.Errorf("make the demo's directory: %w", err)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "leat-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	d.dir = dir
	d.undo = append(d.undo, func() { _ = os.RemoveAll(dir) })
	return nil
}

// openJournal finds what earlier runs on the directory have begun. What can't be changed between
// runs is the journal's.
func (d *demo) openJournal() error {
	head := journalHead{Seed: cmp.Or(d.cfg.Seed, rand.Uint64N(1_000_000)+1), Prefix: d.cfg.Prefix}
	if head.Prefix == "" && d.stack == nil && len(d.cfg.Attach) == 0 {
		head.Prefix = newPrefix()
	}
	j, err := openJournal(d.dir, head)
	if err != nil {
		return err
	}
	d.journal = j
	d.undo = append(d.undo, func() { _ = j.close() })
	if d.cfg.Seed != 0 && j.head.Seed != d.cfg.Seed {
		return fmt.Errorf("%s belongs to a demo with seed %d: give that seed, or another directory", d.dir, j.head.Seed)
	}
	if d.cfg.Prefix != "" && j.head.Prefix != d.cfg.Prefix {
		return fmt.Errorf("%s belongs to a demo with prefix %q: give that prefix, or another directory", d.dir, j.head.Prefix)
	}
	return nil
}

// sayEvery is how often it is told what a start waits for.
const sayEvery = 5 * time.Second

// host runs the services in this process and returns their base URL once they are ready.
func (d *demo) host(ctx context.Context, where kafka.Config) (url string, err error) {
	database, err := kafka.Expand(d.cfg.DatabaseURL)
	if err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	switch {
	case database != "":
	case d.stack != nil:
		database = d.stack.DatabaseURL()
	default:
		database = "sqlite:" + d.dir
	}
	services := d.services
	if !d.cfg.Exit {
		services = append(services[:len(services):len(services)], storefront())
	}
	host, err := service.NewHost(service.HostConfig{
		Services: services, Kafka: where, Registry: d.registry, DatabaseURL: database,
		Listen: d.cfg.Listen, Prefix: d.journal.head.Prefix, Logger: d.cfg.Logger,
	})
	if err != nil {
		return "", err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // stopped by close, after the last look
	ended := make(chan error, 1)
	go func() { ended <- host.Run(running) }()
	d.undo = append(d.undo, func() {
		stop()
		<-ended
	})
	told := time.Now()
	for why := host.Ready(); why != nil; why = host.Ready() {
		if time.Since(told) > sayEvery {
			told = time.Now()
			fmt.Fprintf(d.cfg.Err, "the shop is not ready yet: %v\n", why)
		}
		select {
		case err := <-ended:
			ended <- err
			return "", errors.Join(errors.New("the shop did not start"), err)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	d.url = "http://" + host.Addr()
	return d.url, nil
}

func (d *demo) run(ctx context.Context) (Report, error) {
	producer, err := d.cluster.Producer(kafka.ProducerConfig{})
	if err != nil {
		return Report{}, err
	}
	defer producer.Close()
	w := &watch{shop: d.shop, services: d.names}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go w.run(watching) // ends with watching; nothing waits for its last look
	resumed := len(d.journal.all()) > 0
	d.greet(resumed)
	if len(d.cfg.Attach) == 0 {
		d.story = d.evolve(watching)
		defer func() { stop(); <-d.story.done }()
	}
	stopShow := d.show(w)
	defer stopShow()

	g := &generator{
		cfg: d.cfg, seed: d.journal.head.Seed, prefix: d.journal.head.Prefix, shop: d.shop,
		journal: d.journal, cluster: d.cluster, producer: producer, open: w.openOrders,
	}
	if err := g.run(ctx); err != nil {
		if ctx.Err() != nil && !d.cfg.Exit { // asked to end: there is nothing to judge yet
			return Report{}, nil
		}
		return Report{}, fmt.Errorf("drive the shop: %w", err)
	}
	e, err := d.settle(ctx, w)
	if err != nil {
		if ctx.Err() != nil && !d.cfg.Exit {
			return Report{}, nil
		}
		return Report{}, err
	}
	e.counted = !resumed && len(d.cfg.Attach) == 0
	if d.story != nil {
		<-d.story.done
		e.contract = &d.story.err
	}
	r := audit(e, d.journal.head.Seed, d.begun)
	stopShow()
	if err := d.sum(r); err != nil || d.cfg.Exit {
		return r, err
	}
	<-ctx.Done() // the storefront is open until then
	return r, nil
}

// patience is how long nothing may move while something is still open, before the audit begins all
// the same and says what.
const patience = 60 * time.Second

// looks is how often in a row nothing may be under way before that is believed: what the services say
// of themselves is a moment old.
const looks = 3

// settle waits until nothing is under way any more and gathers the evidence. What is still open when
// nothing has moved for a minute becomes the audit's findings.
func (d *demo) settle(ctx context.Context, w *watch) (*evidence, error) {
	moved, last, still := time.Now(), "", 0
	for {
		quiet, state, err := d.quiet(ctx, w)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if state != last {
			moved, last = time.Now(), state
		}
		if still++; !quiet {
			still = 0
		}
		if still == looks || time.Since(moved) > patience {
			if err != nil {
				return nil, fmt.Errorf("look at the shop: %w", err)
			}
			break
		}
		pause(ctx, watchPause)
	}
	e, err := gather(ctx, d.shop, d.names)
	if err != nil {
		return nil, err
	}
	e.deeds = d.journal.all()
	prefix := d.journal.head.Prefix
	if e.log, err = readTopics(ctx, d.cluster, prefix, d.services); err != nil {
		return nil, err
	}
	if e.lags, err = d.lags(ctx); err != nil {
		return nil, err
	}
	if e.outboxes, err = d.shop.metric(ctx, "leat_outbox_waiting_rows"); err != nil {
		return nil, err
	}
	e.passed, err = d.shop.metric(ctx, "leat_consumer_unhandled_total")
	return e, err
}

// quiet says whether nothing is under way: no order, no call, no notice, no event in an outbox, no
// record that a group has not read. state is what it saw, to tell whether anything moves.
func (d *demo) quiet(ctx context.Context, w *watch) (quiet bool, state string, err error) {
	w.look(ctx)
	seen, whole := w.last()
	orders, calls, notices := seen.open()
	lags, err := d.lags(ctx)
	if err != nil {
		return false, "", err
	}
	outboxes, err := d.shop.metric(ctx, "leat_outbox_waiting_rows")
	if err != nil {
		return false, "", err
	}
	var behind int64
	for _, n := range lags {
		behind += n
	}
	state = fmt.Sprint(seen, lags, outboxes)
	return whole && orders+calls+notices == 0 && behind == 0 && outboxes == 0, state, nil
}

// lags is how far each group is behind.
func (d *demo) lags(ctx context.Context) (map[string]int64, error) {
	prefix := d.journal.head.Prefix
	var groups []string
	for _, name := range d.names {
		groups = append(groups, prefix+name)
	}
	read, err := lag.Read(ctx, d.cluster, groups...)
	if err != nil {
		return nil, fmt.Errorf("read the lag: %w", err)
	}
	lags := map[string]int64{}
	for _, g := range read {
		for _, p := range g.Partitions {
			if p.Err != nil {
				return nil, fmt.Errorf("read the lag of %s on %s/%d: %w", g.Name, p.Topic, p.Partition, p.Err)
			}
		}
		lags[g.Name] = g.Total()
	}
	return lags, nil
}
