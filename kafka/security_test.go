package kafka_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

// Every way in works with properties as Java or librdkafka write them, and every way to get it wrong
// is told apart.
func TestSecuredKafka(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka") // a server of our own, but only where the run has servers at all
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Security: &server.Security{
		Users: map[string]string{"ann": `pass"word\`, "bob": "secret"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	topic := b.CreateTopic(t, "orders", 1, nil)
	acl := kadm.NewACLs().Topics(topic).ResourcePatternType(kadm.ACLPatternLiteral).
		Operations(kadm.OpWrite, kadm.OpDescribe).Allow("User:ann").AllowHosts()
	b.Allow(t, acl)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(`pass"word\`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key, err := k.ClientCert("ann")
	if err != nil {
		t.Fatal(err)
	}
	ca := k.CAFile()
	text := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(data), "\n", `\n`)
	}
	ann := `required username="ann" password="pass\"word\\";`
	for _, c := range []struct {
		name, listener string
		props          map[string]string
		want           string // "": it sends
	}{
		{"tls", server.TLS, map[string]string{"security.protocol": "SSL", "ssl.ca.location": ca}, ""},
		{"tls, java", server.TLS, map[string]string{"security.protocol": "SSL", "ssl.truststore.type": "PEM", "ssl.truststore.certificates": text(ca)}, ""},
		{"mtls", server.MTLS, map[string]string{"ssl.ca.location": ca, "ssl.certificate.location": cert, "ssl.key.location": key}, ""},
		{"mtls, java", server.MTLS, map[string]string{
			"security.protocol": "SSL", "ssl.truststore.location": ca, "ssl.keystore.type": "PEM",
			"ssl.keystore.certificate.chain": text(cert), "ssl.keystore.key": text(key),
		}, ""},
		{"plain", server.SASL, map[string]string{
			"sasl.mechanism": "PLAIN", "sasl.username": "ann", "sasl.password": "${file:" + file + "}", "leat.sasl.plain.without.tls": "true",
		}, ""},
		{"plain over tls, java", server.SASLTLS, map[string]string{
			"security.protocol": "SASL_SSL", "ssl.truststore.location": ca, "sasl.mechanism": "PLAIN",
			"sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule " + ann,
		}, ""},
		{"scram 256", server.SASL, map[string]string{
			"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256",
			"sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule " + ann,
		}, ""},
		{"scram 512 over tls", server.SASLTLS, map[string]string{
			"security.protocol": "SASL_SSL", "ssl.ca.location": ca, "sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "ann", "sasl.password": `pass"word\`,
		}, ""},
		{"no authority", server.TLS, map[string]string{"security.protocol": "SSL"}, "set ssl.ca.location"},
		{"no certificate", server.MTLS, map[string]string{"ssl.ca.location": ca}, "client certificate"},
		{"plain text to tls", server.TLS, nil, "whether that listener wants TLS"},
		{"tls to plain text", server.SASL, map[string]string{"security.protocol": "SSL", "ssl.ca.location": ca}, "set security.protocol to PLAINTEXT or SASL_PLAINTEXT"},
		{"wrong name", server.TLS, map[string]string{"ssl.ca.location": ca}, "does not speak for elsewhere"},
		{"wrong password", server.SASL, map[string]string{"sasl.username": "ann", "sasl.password": "x"}, `the broker refused user "ann" by SCRAM-SHA-512`},
		{"wrong password, plain", server.SASL, map[string]string{
			"sasl.mechanism": "PLAIN", "sasl.username": "ann", "sasl.password": "x", "leat.sasl.plain.without.tls": "true",
		}, `the broker refused user "ann" by PLAIN`},
		{"unknown user", server.SASLTLS, map[string]string{"ssl.ca.location": ca, "sasl.username": "eve", "sasl.password": "x"}, `the broker refused user "eve"`},
		{"no user", server.SASL, nil, "SASL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := kafka.Config{Brokers: k.SecureBrokers(c.listener), Properties: c.props}
			if c.name == "wrong name" {
				cfg.TLS.ServerName = "elsewhere"
			}
			if c.want != "" {
				wants(t, refused(t, cfg), c.want)
				return
			}
			sendOne(t, cfg, topic)
		})
	}
	t.Run("rights", func(t *testing.T) {
		t.Parallel()
		cfg := kafka.Config{Brokers: k.SecureBrokers(server.SASL), SASL: kafka.SASLConfig{User: "bob", Password: "secret"}}
		withoutRights(t, b, cfg, topic)
	})
}

func sendOne(t *testing.T, cfg kafka.Config, topic string) {
	t.Helper()
	c := broker.Open(t, cfg)
	p, err := c.Producer(kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.SendMessages(within(t, time.Minute), []leat.Message{message(topic, "k", "1")}); err != nil {
		t.Error(err)
	}
}

// Where creating is not allowed, the error holds the plan for somebody who may.
func withoutRights(t *testing.T, b *broker.Broker, cfg kafka.Config, topic string) {
	t.Helper()
	c := broker.Open(t, cfg)
	wanted := []leat.Topic{{Name: "payments", Partitions: 3, Config: map[string]string{"retention.ms": "-1"}}}
	_, err := c.EnsureTopics(within(t, time.Minute), wanted)
	if err == nil {
		t.Fatal("a user without rights created a topic")
	}
	wants(t, err.Error(), "create topic payments with 3 partitions", "retention.ms=-1", "needs the right to Describe")
	b.Allow(t, kadm.NewACLs().Topics("payments").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpDescribe).Allow("User:bob").AllowHosts())
	_, err = c.EnsureTopics(within(t, time.Minute), wanted)
	if err == nil {
		t.Fatal("a user without rights created a topic")
	}
	wants(t, err.Error(), "create topic payments with 3 partitions", "retention.ms=-1", "somebody who has the right")
	p, err := c.Producer(kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = p.SendMessages(within(t, time.Minute), []leat.Message{message(topic, "k", "1")})
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("send without the right: %v", err)
	} else {
		wants(t, err.Error(), "needs the right to Write")
	}
	if _, err := kafka.OpenTransactor(within(t, time.Minute), cfg, kafka.TransactorConfig{ID: "bobs"}); err == nil {
		t.Error("a user without rights opened a transactor")
	} else {
		wants(t, err.Error(), "transactional id")
	}
}
