package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// FakeConfig says what kind of kfake cluster Fake makes; the zero value is one
// broker on loopback.
type FakeConfig struct {
	// Brokers is the number of brokers; 0 means 1.
	Brokers int
	// Virtual puts the cluster on a network in memory, as a synctest bubble needs:
	// a goroutine that waits on a real socket would stop the bubble's clock.
	Virtual bool
	// Opts are further options of kfake, such as kfake.DataDir; they win.
	Opts []kfake.Opt
}

// virtualPort is the first port of a virtual cluster; each has its own network.
const virtualPort = 9092

// Fake returns a kfake cluster that lives until the test ends. In a bubble call it
// inside the bubble, with the bubble's t.
func Fake(t testing.TB, cfg FakeConfig) *Broker {
	t.Helper()
	n := max(cfg.Brokers, 1)
	opts := []kfake.Opt{
		kfake.NumBrokers(n),
		kfake.DefaultNumPartitions(1),
		// kfake trims compacted topics by time, and by the newest of a batch's
		// timestamps: in tests nothing goes before the test asks for it.
		// The sessions of KIP-848 and the locks of KIP-932 are as short as those of leattest/server's Kafka.
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms": "-1", "log.retention.bytes": "-1",
			"group.consumer.session.timeout.ms": "6000", "group.consumer.heartbeat.interval.ms": "500",
			"group.share.session.timeout.ms": "6000", "group.share.record.lock.duration.ms": "2000", "share.record.lock.sweep.interval.ms": "500",
		}),
	}
	b := &Broker{}
	if cfg.Virtual {
		network := new(kfake.VirtualNetwork)
		ports := make([]int, n)
		for i := range ports {
			ports[i] = virtualPort + i
		}
		opts = append(opts, kfake.ListenFn(network.Listen), kfake.Ports(ports...))
		b.Dial = network.DialContext
	}
	cluster, err := kfake.NewCluster(append(opts, cfg.Opts...)...)
	if err != nil {
		t.Fatalf("start kfake: %v", err)
	}
	t.Cleanup(cluster.Close)
	b.Cluster, b.Addrs = cluster, cluster.ListenAddrs()
	return b
}
