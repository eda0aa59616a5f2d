package broker

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
)

// answerIn is how long a broker has to answer before the test fails: on a busy machine it may stand still
// for many seconds.
const answerIn = time.Minute

// Broker is a Kafka cluster that a test can talk to.
type Broker struct {
	// Addrs are the addresses of the brokers, host:port.
	Addrs []string
	// Dial opens connections to Addrs; nil means the plain network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Cluster is kfake's own door for faults and time; nil on real Kafka.
	Cluster *kfake.Cluster
}

// Each runs body as a subtest on kfake ("kfake") and on real Kafka ("kafka").
func Each(t *testing.T, body func(t *testing.T, b *Broker)) {
	t.Run("kfake", func(t *testing.T) { body(t, Fake(t, FakeConfig{})) })
	t.Run("kafka", func(t *testing.T) { body(t, Real(t)) })
}

// Real returns the cluster that LEAT_TEST_KAFKA names (host:port with commas),
// shared with other tests: use Name for whatever you make there.
func Real(t testing.TB) *Broker {
	t.Helper()
	b := At(strings.Split(leattest.Need(t, "kafka"), ",")...)
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	cl := b.Client(t)
	leattest.Within(t, answerIn, "LEAT_TEST_KAFKA="+strings.Join(b.Addrs, ",")+" answers", func() error { return cl.Ping(ctx) })
	return b
}

// At returns brokers that the test started itself, such as server.Kafka's.
func At(addrs ...string) *Broker { return &Broker{Addrs: addrs} }

// Real tells whether this is Apache Kafka and not kfake.
func (b *Broker) Real() bool { return b.Cluster == nil }

// Name returns prefix with a random ending: a topic, group or transactional id
// that no other test uses.
func (b *Broker) Name(prefix string) string { return leattest.Name(prefix) }

// Client returns a raw client of the cluster with short pauses between tries;
// opts come after the room's own and win. It is closed when the test ends.
func (b *Broker) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	own := []kgo.Opt{
		kgo.SeedBrokers(b.Addrs...),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DialTimeout(2 * time.Second),
	}
	if b.Dial != nil {
		own = append(own, kgo.Dialer(b.Dial))
	}
	cl, err := kgo.NewClient(append(own, opts...)...)
	if err != nil {
		t.Fatalf("make a client of %v: %v", b.Addrs, err)
	}
	t.Cleanup(cl.CloseAllowingRebalance)
	return cl
}

// Config returns how the code under test reaches the cluster.
func (b *Broker) Config() kafka.Config { return kafka.Config{Brokers: b.Addrs, Dial: b.Dial} }
