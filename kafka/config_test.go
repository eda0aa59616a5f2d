package kafka_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
)

func TestPropertiesHaveTheirEffect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		opt         any
		want        any
	}{
		{"client.id", "me", kgo.ClientID, "me"},
		{"client.rack", "r1", kgo.Rack, "r1"},
		{"request.timeout.ms", "20000", kgo.RequestTimeoutOverhead, 20 * time.Second},
		{"request.timeout.ms", "20000", kgo.ProduceRequestTimeout, 20 * time.Second},
		{"socket.timeout.ms", "20000", kgo.RequestTimeoutOverhead, 20 * time.Second},
		{"socket.connection.setup.timeout.ms", "3000", kgo.DialTimeout, 3 * time.Second},
		{"connections.max.idle.ms", "60000", kgo.ConnIdleTimeout, time.Minute},
		{"metadata.max.age.ms", "60000", kgo.MetadataMaxAge, time.Minute},
		{"topic.metadata.refresh.interval.ms", "1000", kgo.MetadataMinAge, time.Second},
		{"receive.message.max.bytes", "200000000", kgo.BrokerMaxReadBytes, int32(200000000)},
		{"allow.auto.create.topics", "true", kgo.AllowAutoTopicCreation, true},
		{"linger.ms", "7", kgo.ProducerLinger, 7 * time.Millisecond},
		{"queue.buffering.max.ms", "0.5", kgo.ProducerLinger, 500 * time.Microsecond},
		{"queue.buffering.max.messages", "99", kgo.MaxBufferedRecords, int64(99)},
		{"delivery.timeout.ms", "5000", kgo.RecordDeliveryTimeout, 5 * time.Second},
		{"message.timeout.ms", "5000", kgo.RecordDeliveryTimeout, 5 * time.Second},
		{"transaction.timeout.ms", "9000", kgo.TransactionTimeout, 9 * time.Second},
		{"group.instance.id", "i1", kgo.InstanceID, "i1"},
		{"session.timeout.ms", "12000", kgo.SessionTimeout, 12 * time.Second},
		{"heartbeat.interval.ms", "1500", kgo.HeartbeatInterval, 1500 * time.Millisecond},
		{"max.poll.interval.ms", "90000", kgo.RebalanceTimeout, 90 * time.Second},
		{"fetch.min.bytes", "2", kgo.FetchMinBytes, int32(2)},
		{"fetch.max.bytes", "1000000", kgo.FetchMaxBytes, int32(1000000)},
		{"max.partition.fetch.bytes", "4000", kgo.FetchMaxPartitionBytes, int32(4000)},
		{"fetch.message.max.bytes", "4000", kgo.FetchMaxPartitionBytes, int32(4000)},
		{"fetch.max.wait.ms", "250", kgo.FetchMaxWait, 250 * time.Millisecond},
		{"check.crcs", "false", kgo.DisableFetchCRCValidation, true},
		{"enable.metrics.push", "false", kgo.DisableClientMetrics, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl, err := kafka.Config{Properties: map[string]string{c.name: c.value}}.NewClient()
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			got := cl.OptValue(c.opt)
			if !reflect.DeepEqual(got, c.want) {
				if p, ok := got.(*string); ok && p != nil && *p == c.want {
					return
				}
				t.Errorf("the client has %v (%T), want %v", got, got, c.want)
			}
		})
	}
}

func TestConsumersAndProducersOptionsYieldToProperties(t *testing.T) {
	t.Parallel()
	cl, err := kafka.Config{Properties: map[string]string{"session.timeout.ms": "12000"}}.NewClient(kgo.SessionTimeout(time.Second), kgo.ConsumerGroup("g"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if got := cl.OptValue(kgo.SessionTimeout); got != 12*time.Second {
		t.Errorf("session timeout %v, want the operator's 12 s", got)
	}
	if got := cl.OptValue(kgo.ConsumerGroup); got != "g" {
		t.Errorf("group %v", got)
	}
}

// What is assigned while a fetch waits at the broker is fetched after it.
func TestAFetchThatHasNothingWaitsHalfASecond(t *testing.T) {
	t.Parallel()
	cl, err := kafka.Config{Brokers: []string{"b:1"}}.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if got := cl.OptValue(kgo.FetchMaxWait); got != 500*time.Millisecond {
		t.Errorf("%v", got)
	}
}

func TestPropertiesAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		props map[string]string
		want  string
	}{
		{map[string]string{"bootstrap.server": "a:1"}, "property bootstrap.server: not known; is it bootstrap.servers?"},
		{map[string]string{"sasl.user": "a"}, "is it sasl.username?"},
		{map[string]string{"utterly.different.thing.altogether": "a"}, "have no such property"},
		{map[string]string{"acks": "1"}, "lose acknowledged events"},
		{map[string]string{"enable.idempotence": "false"}, "reorder"},
		{map[string]string{"enable.auto.commit": "true"}, "committed after the handler"},
		{map[string]string{"auto.offset.reset": "latest"}, "passes over"},
		{map[string]string{"isolation.level": "read_uncommitted"}, "aborted"},
		{map[string]string{"group.protocol": "eager"}, "neither classic nor consumer"},
		{map[string]string{"group.protocol": "consumer", "session.timeout.ms": "9000"}, "session.timeout.ms has no effect with group.protocol=consumer"},
		{map[string]string{"group.remote.assignor": "range"}, "only uniform"},
		{map[string]string{"group.id": "x"}, "a service's group is its name"},
		{map[string]string{"partitioner": "consistent_random"}, "murmur2_random"},
		{map[string]string{"sasl.oauthbearer.config": "x"}, "is for unsigned tokens"},
		{map[string]string{"sasl.mechanism": "GSSAPI"}, "SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER"},
		{map[string]string{"ssl.truststore.type": "JKS"}, "keytool"},
		{map[string]string{"ssl.ca.location": "/none.pem"}, "/none.pem"},
		{map[string]string{"ssl.key.pem": "secretsecret"}, "is no PEM text"},
		{map[string]string{"linger.ms": "-1"}, `"-1" is no number of milliseconds from 0 to 60000`},
		{map[string]string{"linger.ms": "NaN"}, "no number of milliseconds"},
		{map[string]string{"delivery.timeout.ms": "5s"}, "no number of milliseconds"},
		{map[string]string{"compression.type": "brotli"}, "none of none, gzip, snappy, lz4, zstd"},
		{map[string]string{"compression.type": "lz4", "compression.zstd.level": "3"}, "has no effect on lz4"},
		{map[string]string{"compression.level": "3"}, "set compression.type too"},
		{map[string]string{"bootstrap.servers": "http//x"}, "without a scheme"},
		{map[string]string{"bootstrap.servers": "x:99999"}, "no number from 1 to 65535"},
		{map[string]string{"bootstrap.servers": " , "}, "names no broker"},
		{map[string]string{"sasl.username": "u", "sasl.password": "${env:LEAT_SURELY_NOT_SET}"}, "resolve ${env:LEAT_SURELY_NOT_SET}"},
		{map[string]string{"sasl.username": "u"}, "needs both sasl.username and sasl.password"},
		{map[string]string{"sasl.password": "p"}, "a SASL password without a user"},
		{map[string]string{"sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"}, "shows the password to the network"},
		{map[string]string{"security.protocol": "SASL_SSL"}, "needs sasl.mechanism"},
		{map[string]string{"security.protocol": "PLAINTEXT", "sasl.username": "u", "sasl.password": "p"}, "has no SASL"},
		{map[string]string{"security.protocol": "TLS"}, "none of PLAINTEXT"},
		{map[string]string{"sasl.jaas.config": "com.sun.Krb5LoginModule required;"}, "Krb5LoginModule"},
		{map[string]string{"sasl.jaas.config": `x.ScramLoginModule required username="a`}, "not closed"},
	} {
		err := kafka.Config{Properties: c.props}.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.props, err, c.want)
		}
	}
	err := kafka.Config{Properties: map[string]string{"acks": "0", "linger.ms": "x", "nonsense": ""}}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all faults at once: %v", err)
	}
}

// Every name that is accepted is accepted with some value, so that none is there for show.
func TestSafePropertiesAreAccepted(t *testing.T) {
	t.Parallel()
	accepted := map[string]string{
		"acks": "all", "request.required.acks": "-1", "enable.idempotence": "true", "enable.auto.commit": "false",
		"auto.offset.reset": "earliest", "isolation.level": "read_committed", "group.protocol": "classic",
		"partition.assignment.strategy": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
		"compression.type":              "zstd", "compression.zstd.level": "3", "security.protocol": "SASL_SSL",
		"sasl.jaas.config":           `org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="p\"q;";`,
		"ssl.enabled.protocols":      "TLSv1.2,TLSv1.3",
		"metadata.broker.list":       "SASL_SSL://a:1,b:2",
		"broker.address.family":      "v4",
		"partitioner":                "murmur2_random",
		"socket.keepalive.enable":    "true",
		"retry.backoff.ms":           "100",
		"retry.backoff.max.ms":       "1000",
		"client.dns.lookup":          "use_all_dns_ips",
		"send.buffer.bytes":          "-1",
		"max.request.size":           "2000000",
		"sasl.mechanism":             "SCRAM-SHA-256",
		"buffer.memory":              "1000000",
		"queue.buffering.max.kbytes": "1024",
		"metadata.recovery.strategy": "none",
	}
	if err := (kafka.Config{Properties: accepted}).Validate(); err != nil {
		t.Error(err)
	}
	if n := len(kafka.PropertyNames()); n < 60 {
		t.Errorf("%d names are accepted", n)
	}
}

func TestPropertiesFromTextsAndEnvironment(t *testing.T) {
	t.Parallel()
	got, err := kafka.ParseProperties([]string{"a.b=c=d", " x = y "})
	if diff := cmp.Diff(map[string]string{"a.b": "c=d", "x": "y"}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := kafka.ParseProperties([]string{"sasl.password hunter2"}); err == nil || !strings.Contains(err.Error(), "write name=value") {
		t.Errorf("got %v", err)
	}
	env := kafka.PropertiesFromEnv([]string{"LEAT_KAFKA_X_SASL_USERNAME=u=v", "LEAT_KAFKA_BROKERS=a", "LEAT_KAFKA_X_=b"})
	if diff := cmp.Diff(map[string]string{"sasl.username": "u=v"}, env); diff != "" {
		t.Error(diff)
	}
}

func TestReadPropertyFileNamesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(file, []byte("bootstrap.servers=a:1\nlinger.ms=3"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := kafka.ReadPropertyFile(file)
	if diff := cmp.Diff(map[string]string{"bootstrap.servers": "a:1", "linger.ms": "3"}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := kafka.ReadPropertyFile(file + "x"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}
