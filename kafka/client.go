package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// EmbeddedPrefix begins the cluster id of an embedded development broker, whose transactions do not
// survive a kill.
const EmbeddedPrefix = "leat-embedded-"

// freshMetadata is how old an answer about topics may be. franz-go's 5 s would be added to the start of
// every service: a topic that was missing a moment ago would stay missing after it is made.
const freshMetadata = 10 * time.Millisecond

// openTimeout is how long Open waits for the cluster to answer.
const openTimeout = 10 * time.Second

// Client is an open connection to one cluster. It is safe for concurrent use.
type Client struct {
	cfg     Config
	set     *resolved
	kgo     *kgo.Client
	adm     *kadm.Client
	cluster string
	log     *slog.Logger
}

// Open connects, and answers within 10 s whether the cluster can be reached: a wrong address, a
// closed port, a missing or wrong certificate and a wrong password each have their own error with
// what to try. Close the client when done.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	set, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("configure the Kafka client: %w", err)
	}
	cl, err := kgo.NewClient(set.options(append(promptly(), kgo.MetadataMinAge(freshMetadata), kgo.RecordPartitioner(addressed{partitioner(), namedByUs})))...)
	if err != nil {
		return nil, fmt.Errorf("make the Kafka client: %w", err)
	}
	c := &Client{cfg: cfg, set: set, kgo: cl, adm: kadm.NewClient(cl), log: set.Logger}
	if err := set.introduce(ctx, c.greet); err != nil {
		cl.Close()
		return nil, err
	}
	return c, nil
}

var errNoAnswer = errors.New("no answer within 10 s")

// introduce does the first act of a new client, and explains what keeps it from working. When the
// time is up it ends the connections that hold the act, and waits for it.
func (r *resolved) introduce(ctx context.Context, act func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, openTimeout, errNoAnswer)
	defer cancel()
	r.dialer.watch.begin()
	stop := context.AfterFunc(ctx, r.dialer.watch.giveUp)
	err := act(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx) // the connections are closed by now
	}
	r.dialer.watch.end()
	if err != nil {
		return r.explain(ctx, err)
	}
	return nil
}

// greet asks the cluster for its id, the first request that needs all of address, TLS and SASL.
func (c *Client) greet(ctx context.Context) error {
	if err := c.kgo.Ping(ctx); err != nil {
		return err
	}
	meta, err := c.adm.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	c.cluster = meta.Cluster
	return nil
}

// Close ends the connections. Producers and transactors made from the client are their own and stay.
func (c *Client) Close() { c.kgo.Close() }

// Kgo is the franz-go client underneath, for what this package has no door for.
func (c *Client) Kgo() *kgo.Client { return c.kgo }

// Config is what the client was opened with.
func (c *Client) Config() Config { return c.cfg }

// ClusterID is the cluster's own id.
func (c *Client) ClusterID() string { return c.cluster }

// Embedded says whether the cluster is an embedded development broker: promises that rest on Kafka
// transactions are weaker there.
func (c *Client) Embedded() bool { return strings.HasPrefix(c.cluster, EmbeddedPrefix) }

// Ping asks the cluster for a sign of life; ctx bounds it.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.kgo.Ping(ctx); err != nil {
		return c.set.explain(ctx, err)
	}
	return nil
}
