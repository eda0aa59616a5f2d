package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// Two services that may do what their manifests say, and nothing else, make their topics, relay,
// consume, answer and write dead letters; a topic outside is closed to them.
func TestTheRightsOfTheManifestAreEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	users := map[string]string{"asker": "a", "worker": "w"}
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
			if e.Data.ID == "bad" {
				return leat.Permanent(errors.New("it is bad"))
			}
			return tx.Publish(ctx, done(e.Data))
		})},
	}
	url := sql.Postgres(t).URL
	hosts := map[string]*service.Host{}
	for _, c := range []service.Config{asking(), worker} {
		allow(t, admin, c.Name, c.Manifest(prefix).ACLs(false))
		hosts[c.Name] = hosting(t, service.HostConfig{
			Services: []service.Config{c}, DatabaseURL: url, Prefix: prefix, Logger: quiet(),
			Kafka: as(k, c.Name, users[c.Name]),
		})
	}
	for _, id := range []string{"1", "bad"} {
		w := httptest.NewRecorder()
		hosts["asker"].Handler().ServeHTTP(w, httptest.NewRequest("POST", "/ask/"+id, nil))
		if w.Code != 200 {
			t.Fatalf("ask: %d %s", w.Code, w.Body)
		}
	}
	for _, topic := range []string{"test.results", "test.requests.p.worker.dlq"} {
		leattest.Eventually(t, "one record in "+topic, func() error {
			if n := len(b.ReadAll(t, prefix+topic, kgo.ReadCommitted())); n != 1 {
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
