package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// Services that may do what their manifests say, and nothing else, make their topics, relay, consume,
// park, answer, transform and write dead letters; a topic outside is closed to them.
func TestTheRightsOfTheManifestAreEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	users := map[string]string{"asker": "a", "worker": "w", "copier": "c"}
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Security: &server.Security{Users: users}})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	admin := kadm.NewClient(b.Client(t))
	const prefix = "p."
	b.CreateTopic(t, prefix+"secrets", 1, nil)

	worker := service.Config{
		Name: "worker", Owns: []leat.Topic{results},
		Migrations: migration("create table seen (id text primary key)"),
		Handlers: []leat.Handler{outbox.Once(requests, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[asked]) error {
			switch {
			case e.Data.ID == "bad":
				return leat.Permanent(errors.New("it is bad"))
			case e.Data.ID == "late" && time.Since(e.Time()) < 2*time.Second:
				return errors.New("too early") // it is parked
			}
			return tx.Publish(ctx, done(e.Data))
		}, consumer.WithRetry(leat.Retry{Attempts: 1}), consumer.Park(leat.Parking{Tiers: []time.Duration{2 * time.Second}}))},
	}
	copier := service.Config{
		Name: "copier", Owns: []leat.Topic{copies},
		Handlers: []leat.Handler{consumer.Transform(results, func(_ context.Context, e *leat.Event[done]) ([]copied, error) {
			return []copied{copied(e.Data)}, nil
		})},
	}
	url := sql.Postgres(t).URL
	hosts := map[string]*service.Host{}
	for _, c := range []service.Config{asking(), worker, copier} {
		allow(t, admin, c.Name, c.Manifest(prefix).ACLs(false))
		hosts[c.Name] = hosting(t, service.HostConfig{
			Services: []service.Config{c}, DatabaseURL: url, Prefix: prefix, Logger: quiet(),
			Kafka: as(k, c.Name, users[c.Name]),
		})
	}
	for _, id := range []string{"1", "bad", "late"} {
		w := httptest.NewRecorder()
		hosts["asker"].Handler().ServeHTTP(w, httptest.NewRequest("POST", "/ask/"+id, nil))
		if w.Code != 200 {
			t.Fatalf("ask: %d %s", w.Code, w.Body)
		}
	}
	for topic, want := range map[string]int{"test.results": 2, "test.copies": 2, "test.requests.p.worker.dlq": 1} {
		leattest.Eventually(t, fmt.Sprintf("%d records in %s", want, topic), func() error {
			if n := len(b.ReadAll(t, prefix+topic, kgo.ReadCommitted())); n != want {
				return fmt.Errorf("%d records", n)
			}
			return nil
		})
	}

	for user := range users {
		c, err := kafka.Open(t.Context(), as(k, user, users[user]))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Kgo().ProduceSync(t.Context(), &kgo.Record{Topic: prefix + "secrets"}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("%s writes to a topic outside: %v", user, err)
		}
		listed, err := kadm.NewClient(c.Kgo()).ListTopics(t.Context())
		if err != nil {
			t.Error(err)
		}
		if listed.Has(prefix + "secrets") {
			t.Errorf("%s sees a topic outside", user)
		}
	}
}

// copied is what the copier makes of done.
type copied struct {
	ID string `json:"id"`
}

func (copied) EventType() string  { return "test.thing.copied.v1" }
func (e copied) EventKey() string { return e.ID }

var copies = leat.Topic{Name: "test.copies", Carries: []any{copied{}}}

func as(k *server.Kafka, user, password string) kafka.Config {
	return kafka.Config{
		Brokers: k.SecureBrokers(server.SASLTLS), TLS: kafka.TLSConfig{CA: k.CAFile()},
		SASL: kafka.SASLConfig{User: user, Password: kafka.Secret(password)},
	}
}

// hosting runs a host until the test ends.
func hosting(t *testing.T, cfg service.HostConfig) *service.Host {
	t.Helper()
	h, err := service.NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	leattest.Eventually(t, cfg.Services[0].Name+" is ready", func() error {
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("the host ended: %v", err)
		default:
		}
		return h.Ready()
	})
	return h
}

// allow gives a user rights, as kafka-acls would.
func allow(t *testing.T, admin *kadm.Client, user string, acls []kafka.ACL) {
	t.Helper()
	operations := map[string]kadm.ACLOperation{
		"Read": kadm.OpRead, "Write": kadm.OpWrite, "Create": kadm.OpCreate, "Describe": kadm.OpDescribe,
		"DescribeConfigs": kadm.OpDescribeConfigs, "AlterConfigs": kadm.OpAlterConfigs, "Alter": kadm.OpAlter,
	}
	for _, a := range acls {
		builder := kadm.NewACLs().Allow("User:" + user).AllowHosts()
		switch a.Resource {
		case kafka.TopicResource:
			builder = builder.Topics(a.Name)
		case kafka.GroupResource:
			builder = builder.Groups(a.Name)
		case kafka.TransactionalIDResource:
			builder = builder.TransactionalIDs(a.Name)
		}
		builder = builder.ResourcePatternType(kadm.ACLPatternLiteral)
		if a.Prefixed {
			builder = builder.ResourcePatternType(kadm.ACLPatternPrefixed)
		}
		for _, o := range a.Operations {
			op, known := operations[o]
			if !known {
				t.Fatalf("%s is no operation", o)
			}
			results, err := admin.CreateACLs(t.Context(), builder.Operations(op))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
			}
		}
	}
}

func TestACLsInEachForm(t *testing.T) {
	t.Parallel()
	grants := []kafka.Grant{{User: "asker", ACLs: asking().Manifest("p.").ACLs(true)}}
	for name, write := range map[string]func(*strings.Builder) error{
		"kafka-acls": func(b *strings.Builder) error { return kafka.WriteCommands(b, "k:9092", grants) },
		"strimzi":    func(b *strings.Builder) error { return kafka.WriteStrimzi(b, "main", grants) },
		"terraform":  func(b *strings.Builder) error { return kafka.WriteTerraform(b, grants) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Error(err)
		}
		golden(t, "testdata/acl."+name+".golden", b.String())
	}
	if slices.ContainsFunc(grants[0].ACLs, func(a kafka.ACL) bool { return slices.Contains(a.Operations, "Create") }) {
		t.Error("a service that finds its topics made gets the right to make some")
	}
}
