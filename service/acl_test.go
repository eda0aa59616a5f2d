package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// Services that may do what their manifests say, and nothing else, make their topics, relay, by more
// shards than at their first start, consume, park, retry later, answer, transform, share and write dead
// letters; a topic outside is closed to them.
func TestTheRightsOfTheManifestAreEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	users := map[string]string{"asker": "a", "worker": "w", "copier": "c", "tally": "t", "mailer": "m", "ann": "n"}
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Security: &server.Security{Users: users}})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
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
	var effects sync.Map
	mailer := service.Config{
		Name: "mailer",
		Handlers: []leat.Handler{consumer.On(requests, func(_ context.Context, e *leat.Event[asked]) error {
			if e.Data.ID == "late" {
				return errors.New("never")
			}
			return nil
		}, consumer.Unordered(), consumer.WithRetry(leat.Retry{Attempts: 1}), consumer.RetryTopics(leat.RetryTopics{
			Delays: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, Spring: &leat.SpringRetries{},
		}))},
	}
	url := sql.Postgres(t).URL
	hosts := map[string]*service.Host{}
	for _, c := range []service.Config{asking(), worker, copier, tallied(&effects), mailer} {
		b.Grant(t, c.Name, c.Manifest(prefix).ACLs(false)...)
		cfg := service.HostConfig{
			Services: []service.Config{c}, DatabaseURL: url, Prefix: prefix, Logger: quiet(),
			Kafka: as(k, c.Name, users[c.Name]),
		}
		if c.Name == "asker" {
			t.Run("asker has one shard", func(t *testing.T) { hosting(t, cfg) })
			cfg.Services[0].OutboxShards = 4
		}
		hosts[c.Name] = hosting(t, cfg)
	}
	for _, id := range []string{"1", "bad", "late"} {
		w := httptest.NewRecorder()
		hosts["asker"].Handler().ServeHTTP(w, httptest.NewRequest("POST", "/ask/"+id, nil))
		if w.Code != 200 {
			t.Fatalf("ask: %d %s", w.Code, w.Body)
		}
	}
	for topic, want := range map[string]int{
		"test.results": 2, "test.copies": 2, "test.requests.p.worker.dlq": 1, "test.requests.p.tally.share.dlq": 1,
		"test.requests-retry-100": 1, "test.requests-retry-200": 1, "test.requests.p.mailer.dlq": 1,
	} {
		leattest.Eventually(t, fmt.Sprintf("%d records in %s", want, topic), func() error {
			if n := len(b.ReadAll(t, prefix+topic, kgo.ReadCommitted())); n < want { // more: some may come twice
				return fmt.Errorf("%d records", n)
			}
			return nil
		})
	}

	// A person with the rights of an operator gives letters back, where the service parks and where not.
	ann := broker.Open(t, as(k, "ann", users["ann"]))
	for _, c := range []service.Config{worker, mailer} {
		b.Grant(t, "ann", c.Manifest(prefix).OperatorACLs()...)
		job := redrive.Job{Client: ann, Group: prefix + c.Name, Topic: prefix + requests.Name, Act: redrive.Redriven, By: "ann"}
		done := 0
		leattest.Eventually(t, c.Name+"'s letter goes back", func() error {
			tally, err := job.Run(t.Context())
			if done += tally.Done; err == nil && done == 0 {
				err = errors.New("nothing is left to go back")
			}
			return err
		})
	}

	for user := range users {
		c := broker.Open(t, as(k, user, users[user]))
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

// hosting is a host that runs until the test ends, and is ready.
func hosting(t *testing.T, cfg service.HostConfig) *service.Host {
	t.Helper()
	cfg.StartTimeout = 3 * time.Minute
	h, ended := running(t, cfg)
	leattest.Within(t, cfg.StartTimeout, cfg.Services[0].Name+" is ready", func() error {
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

// running is a host that runs until the test ends, ready or not.
func running(t *testing.T, cfg service.HostConfig) (*service.Host, chan error) {
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
	return h, ended
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
