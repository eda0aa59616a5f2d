package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

// layer2 keeps tests that start servers out of the quick run. They run one after
// another: each starts up to three JVMs.
func layer2(t *testing.T, kind string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers: layer 2, not under -short")
	}
	leattest.Need(t, kind) // servers of our own, but only where the run has servers at all
}

func startKafka(t *testing.T, cfg server.KafkaConfig) (*server.Kafka, *broker.Broker) {
	t.Helper()
	k, err := server.StartKafka(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	return k, broker.At(k.Brokers()...)
}

// What was acknowledged before a kill -9 is there after the restart, and the node
// is the same cluster.
func TestKafkaSurvivesAKill(t *testing.T) {
	layer2(t, "kafka")
	k, b := startKafka(t, server.KafkaConfig{Properties: map[string]string{"message.max.bytes": "2000"}})
	topic := b.CreateTopic(t, "orders", 1, nil)
	b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("before")})
	large := &kgo.Record{Topic: topic, Value: make([]byte, 3000)}
	raw := b.Client(t, kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err := raw.ProduceSync(t.Context(), large).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("the extra property does not hold: %v", err)
	}
	if err := k.Kill(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.Client(t).Ping(ctx); err == nil {
		t.Fatal("a killed broker answers")
	}
	started := time.Now()
	if err := k.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	t.Logf("serves %v after the restart", time.Since(started))
	if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != 1 {
		t.Errorf("%d records after the kill, want 1", len(got))
	}
}

// A quorum of three goes on without the leader of a partition, and the killed node
// comes back into sync. A stopped node stops its partitions only for a while.
func TestKafkaQuorumSurvivesItsLeader(t *testing.T) {
	layer2(t, "kafka")
	k, b := startKafka(t, server.KafkaConfig{Nodes: 3})
	topic := b.CreateTopic(t, "orders", 3, nil)
	leader := leaderOf(t, b, topic)
	b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("before")})
	if err := k.Kill(leader); err != nil {
		t.Fatal(err)
	}
	b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("while it is away")})
	if err := errors.Join(k.Restart(t.Context(), leader), k.WaitISR(t.Context())); err != nil {
		t.Fatal(err)
	}
	leader = leaderOf(t, b, topic)
	if err := k.Stop(leader); err != nil {
		t.Fatal(err)
	}
	leattest.Eventually(t, "another node leads", func() error {
		if now := leaderOf(t, b, topic); now == leader {
			return fmt.Errorf("stopped node %d still leads", now)
		}
		return nil
	})
	if err := errors.Join(k.Cont(leader), k.WaitISR(t.Context())); err != nil {
		t.Fatal(err)
	}
	for id := range 3 { // a power cut
		if err := k.Kill(id + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(k.Restart(t.Context(), 1, 2, 3), k.WaitISR(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != 2 {
		t.Errorf("%d records, want 2", len(got))
	}
}

// A directory of the caller's own outlives Close: the next start, on other ports,
// is the same cluster with the same records.
func TestKafkaGoesOnInItsDirectory(t *testing.T) {
	layer2(t, "kafka")
	cfg := server.KafkaConfig{Dir: t.TempDir()}
	first, b := startKafka(t, cfg)
	topic := b.CreateTopic(t, "orders", 1, nil)
	b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("kept")})
	if err := first.Kill(1); err != nil {
		t.Fatal(err)
	}
	second, b := startKafka(t, cfg) // the same ports are not promised
	if first.ClusterID() != second.ClusterID() {
		t.Errorf("cluster %s became %s", first.ClusterID(), second.ClusterID())
	}
	if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != 1 || string(got[0].Value) != "kept" {
		t.Errorf("read %v, want the one record", got)
	}
}

// leaderOf asks until the broker that answers knows the topic and its leader.
func leaderOf(t *testing.T, b *broker.Broker, topic string) (leader int) {
	t.Helper()
	cl := b.Client(t, kgo.RequestTimeoutOverhead(time.Second), kgo.RequestRetries(20))
	defer cl.Close()
	leattest.Eventually(t, "the topic has a leader", func() error {
		topics, err := kadm.NewClient(cl).ListTopics(t.Context(), topic)
		if err == nil {
			leader = int(topics[topic].Partitions[0].Leader)
		}
		if leader < 1 {
			err = errors.Join(err, fmt.Errorf("it is %d", leader))
		}
		return err
	})
	return leader
}

// Each secured listener lets the right user in and nobody else, and the authorizer
// holds a user to its ACLs.
func TestKafkaSecurity(t *testing.T) {
	layer2(t, "kafka")
	k, b := startKafka(t, server.KafkaConfig{Security: &server.Security{
		Users: map[string]string{"ann": `pass"word\`, "bob": "secret"},
	}})
	topic := b.CreateTopic(t, "orders", 1, nil)
	acl := kadm.NewACLs().Topics(topic).ResourcePatternType(kadm.ACLPatternLiteral).
		Operations(kadm.OpWrite, kadm.OpDescribe).Allow("User:ann").AllowHosts()
	b.Allow(t, acl)
	ann := scram.Auth{User: "ann", Pass: `pass"word\`}
	for _, c := range []struct {
		name, listener string
		auth           sasl.Mechanism
		cert           string
		want           error
	}{
		{"tls", server.TLS, nil, "", nil},
		{"mtls", server.MTLS, nil, "ann", nil},
		{"mtls of a user without ACL", server.MTLS, nil, "bob", kerr.TopicAuthorizationFailed},
		{"plain", server.SASL, plain.Auth{User: "ann", Pass: ann.Pass}.AsMechanism(), "", nil},
		{"plain, wrong password", server.SASL, plain.Auth{User: "ann", Pass: "x"}.AsMechanism(), "", kerr.SaslAuthenticationFailed},
		{"scram 256", server.SASL, ann.AsSha256Mechanism(), "", nil},
		{"scram 512 over tls", server.SASLTLS, ann.AsSha512Mechanism(), "", nil},
		{"scram of a user without ACL", server.SASLTLS, scram.Auth{User: "bob", Pass: "secret"}.AsSha512Mechanism(), "", kerr.TopicAuthorizationFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := []kgo.Opt{kgo.RecordDeliveryTimeout(time.Minute), kgo.DisableIdempotentWrite()}
			if c.auth != nil {
				opts = append(opts, kgo.SASL(c.auth))
			}
			if c.listener != server.SASL {
				opts = append(opts, kgo.DialTLSConfig(tlsConfig(t, k, c.cert)))
			}
			cl := broker.At(k.SecureBrokers(c.listener)...).Client(t, opts...)
			if errors.Is(c.want, kerr.SaslAuthenticationFailed) { // a producer would try until its time is over
				leattest.Eventually(t, "the broker refuses the password", func() error {
					if err := cl.Ping(t.Context()); !errors.Is(err, c.want) {
						return fmt.Errorf("it answers %w", err)
					}
					return nil
				})
				return
			}
			err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
			if !errors.Is(err, c.want) {
				t.Errorf("produce: %v, want %v", err, c.want)
			}
		})
	}
}

func tlsConfig(t *testing.T, k *server.Kafka, user string) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(k.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	if !cfg.RootCAs.AppendCertsFromPEM(ca) {
		t.Fatal("the authority's file holds no certificate")
	}
	if user != "" {
		certFile, keyFile, err := k.ClientCert(user)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg
}

// A client that was given a proxy's address is sent to nothing but proxies' addresses.
func TestProxiedClientsAreSentToTheProxy(t *testing.T) {
	layer2(t, "kafka")
	k, direct := startKafka(t, server.KafkaConfig{Proxied: true})
	at := k.Proxied()
	if len(at) != 1 || at[0].Node != 1 {
		t.Fatalf("proxied at %+v", at)
	}
	var asked []string
	var mu sync.Mutex
	cl := broker.At(at[0].Listen).Client(t, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		asked = append(asked, addr)
		mu.Unlock()
		return (&net.Dialer{}).DialContext(ctx, network, at[0].Target)
	}))
	topic := direct.CreateTopic(t, "orders", 1, nil)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	mu.Lock()
	defer mu.Unlock()
	for _, addr := range asked {
		if addr != at[0].Listen {
			t.Errorf("it was sent to %s, want %s", addr, at[0].Listen)
		}
	}
}

// A broker that can't start says so at once with the end of its log.
func TestKafkaThatCannotStartTellsWhy(t *testing.T) {
	layer2(t, "kafka")
	_, err := server.StartKafka(t.Context(), server.KafkaConfig{Properties: map[string]string{"num.io.threads": "many"}})
	if err == nil || !strings.Contains(err.Error(), "process ended") || !strings.Contains(err.Error(), "num.io.threads") {
		t.Errorf("started with num.io.threads=many: %v", err)
	}
	t.Log(err)
}
