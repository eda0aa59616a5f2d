package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/kafka"
)

// Names that the registries of others have by default, too.
const (
	DefaultTopic = "_schemas"
	DefaultGroup = "schema-registry"
)

// KafkaConfig says where a registry's log is in Kafka, and who writes to it.
type KafkaConfig struct {
	// Connect is the cluster and how to get in.
	Connect kafka.Config
	// Topic holds the records: one partition, compacted. "": _schemas.
	Topic string
	// Group is the consumer group in which the registries of the topic choose who writes; its name and
	// the topic's make the transactional id. "": schema-registry.
	Group string
	// URL is where the other registries reach this one, http://host:port; of all that are there, the
	// lowest writes. "": this is no registry but a tool: it reads, and it writes only while no
	// registry runs.
	URL string
	// Existing refuses to make the topic where it is missing.
	Existing bool
	// Session is how long a registry that is silent keeps the lead. 0: 10 seconds.
	Session time.Duration
	// Heartbeat is the time between two signs of life. 0: 3 seconds.
	Heartbeat time.Duration
	// Logger takes the log. nil: slog.Default().
	Logger *slog.Logger
}

// Kafka is a log in a topic of Kafka, spelled as the registries of others spell it. One of the
// registries that share it writes; they choose it among themselves by the protocol of Confluent's.
type Kafka struct {
	cfg    KafkaConfig
	me     member
	client *kafka.Client
	adm    *kadm.Client
	topic  [16]byte      // the topic's id
	turn   chan struct{} // who holds it has the pen
	pen    *pen          // nil: there is none; guarded by turn
	nudge  chan struct{} // holds one word when the lead is in doubt

	mu   sync.Mutex
	seat seat  // guarded by mu
	gone error // why the topic can't be gone on with; nil: it can; guarded by mu
}

// seat is what a registry is in its group for the time being.
type seat struct {
	term  int       // counts them
	leads bool      // this one may write, until the lease ends
	until time.Time // end of the lease: the coordinator gives the seat to nobody else before
	url   string    // who leads, where it is another one
	mixed bool      // programs of others are in the group
}

// OpenKafka connects to the log, and makes the topic where it is missing. A topic that would lose
// schemas, because it is not compacted or has several partitions, is refused. Close the log when
// done.
func OpenKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	cfg.Topic, cfg.Group = cmp.Or(cfg.Topic, DefaultTopic), cmp.Or(cfg.Group, DefaultGroup)
	cfg.Session, cfg.Heartbeat = cmp.Or(cfg.Session, 10*time.Second), cmp.Or(cfg.Heartbeat, 3*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l := &Kafka{cfg: cfg, turn: make(chan struct{}, 1), nudge: make(chan struct{}, 1)}
	if cfg.URL != "" {
		me, err := identify(cfg.URL)
		if err != nil {
			return nil, fmt.Errorf("open the registry's log: %w", err)
		}
		l.me = me
	}
	if cfg.Heartbeat >= cfg.Session {
		return nil, fmt.Errorf("open the registry's log: a heartbeat each %v keeps no session of %v", cfg.Heartbeat, cfg.Session)
	}
	var err error
	if l.client, err = kafka.Open(ctx, cfg.Connect); err != nil {
		return nil, fmt.Errorf("open the registry's log: %w", err)
	}
	l.adm = kadm.NewClient(l.client.Kgo())
	if l.topic, err = l.settle(ctx); err != nil {
		l.client.Close()
		return nil, fmt.Errorf("open the registry's log: %w", err)
	}
	return l, nil
}

// Close ends the connections; call it after Follow has returned.
func (l *Kafka) Close() {
	l.turn <- struct{}{}
	l.drop()
	<-l.turn
	l.client.Close()
}

// Follow implements [Log]. While it runs, this registry is a member of the group.
func (l *Kafka) Follow(ctx context.Context, apply func([]Entry, int64)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.read(ctx, apply) })
	if l.cfg.URL != "" {
		group.Go(func() error { l.elect(ctx); return nil })
	}
	return group.Wait()
}

// Leader implements [Log].
func (l *Kafka) Leader() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cfg.URL == "":
		return "", true
	case l.gone != nil:
		return "", false
	case l.seat.leads:
		return "", time.Now().Before(l.seat.until)
	}
	return l.seat.url, false
}

// End implements [Log]. Who leads says the end of what it wrote itself, which it knows, but for the
// first time and after an error: a record that it writes then and reads back is behind all that any
// registry wrote. Who does not lead says the end of the topic.
func (l *Kafka) End(ctx context.Context) (int64, error) {
	end, err := l.end(ctx)
	if err != nil {
		return 0, errors.Join(ErrUnavailable, fmt.Errorf("find the end of %s: %w", l.cfg.Topic, err))
	}
	return end, nil
}

func (l *Kafka) end(ctx context.Context) (int64, error) {
	s, err := l.sits()
	if err != nil {
		return 0, err
	}
	if !s.leads {
		return l.high(ctx)
	}
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer l.give()
	if err := l.write(ctx, s, nil, barrier); err != nil {
		return 0, err
	}
	return l.pen.mine, nil
}

// Append implements [Log]. Where all registries of the group are ours, the records are one
// transaction, which commits only if they lie directly behind what was judged.
func (l *Kafka) Append(ctx context.Context, after int64, records []Record) (int64, error) {
	if err := checkSizes(records); err != nil {
		return 0, err
	}
	s, err := l.sits()
	if err == nil && l.cfg.URL == "" {
		s.leads, err = true, l.alone(ctx)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("append to %s: %w", l.cfg.Topic, err)
	case !s.leads:
		return 0, fmt.Errorf("append to %s: %w", l.cfg.Topic, ErrNotLeader)
	}
	if err := l.take(ctx); err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.cfg.Topic, err)
	}
	defer l.give()
	if err := l.write(ctx, s, records, after); err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.cfg.Topic, err)
	}
	return l.pen.mine, nil
}

// sits is the seat of now; a lease that has ended is none.
func (l *Kafka) sits() (seat, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.seat
	s.leads = s.leads && time.Now().Before(s.until)
	return s, l.gone
}

// stillSits says whether nothing has changed since.
func (l *Kafka) stillSits(term int) bool {
	s, err := l.sits()
	return err == nil && s.term == term && (s.leads || l.cfg.URL == "")
}

// high is the end of the topic: all that was acknowledged is below. What is below and belongs to an
// open transaction is read or passed over when that ends.
func (l *Kafka) high(ctx context.Context) (int64, error) {
	listed, err := l.adm.ListEndOffsets(ctx, l.cfg.Topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return 0, err
	}
	at, _ := listed.Lookup(l.cfg.Topic, 0)
	return at.Offset, nil
}

// alone says whether no registry runs: a tool must not write beside one.
func (l *Kafka) alone(ctx context.Context) error {
	groups, err := l.adm.DescribeGroups(ctx, l.cfg.Group)
	if err != nil {
		return fmt.Errorf("look for registries: %w", err)
	}
	if n := len(groups[l.cfg.Group].Members); n > 0 {
		return fmt.Errorf("%w: members of group %s that run: %d; stop them first (one that was killed counts until its session has ended, 10 s unless set), or name another group with --group", ErrNotLeader, l.cfg.Group, n)
	}
	return nil
}

func (l *Kafka) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *Kafka) give() { <-l.turn }

// lose says that the topic can't be gone on with, or, with nil, that it can again. What was read stays
// in memory and goes on being told: it may be all that is left.
func (l *Kafka) lose(err error) {
	l.mu.Lock()
	news := (l.gone == nil) != (err == nil)
	l.gone = err
	l.mu.Unlock()
	switch {
	case !news:
	case err != nil:
		l.cfg.Logger.Error("the registry's log is lost: what was read before is still answered, and nothing is written", slog.Any("error", err))
		l.doubt()
	default:
		l.cfg.Logger.Info("the registry's log is back", slog.String("topic", l.cfg.Topic))
	}
}

// doubt makes this registry ask the group anew.
func (l *Kafka) doubt() {
	select {
	case l.nudge <- struct{}{}:
	default: // there is a word in it already
	}
}

// AdvertisedURL is the URL at which others reach a registry that listens on an address.
func AdvertisedURL(listen string, tls bool, hostname func() (string, error)) (string, error) {
	u := url.URL{Scheme: "http", Host: listen}
	if tls {
		u.Scheme = "https"
	}
	host, port := u.Hostname(), u.Port()
	if port == "" || port == "0" {
		return "", fmt.Errorf("--listen %s does not say where others reach this registry: name a port, or the URL with --advertise", listen)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		var err error
		if host, err = hostname(); err != nil {
			return "", fmt.Errorf("find this machine's name: %w (say the URL with --advertise)", err)
		}
		u.Host = host + ":" + port
	}
	return u.String(), nil
}
