package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

type shipped struct {
	Order string `json:"order"`
}

func (shipped) EventType() string  { return "test.order.shipped.v1" }
func (s shipped) EventKey() string { return s.Order }

// The way of docs/guides/securing.md: somebody else makes the topics, the services, one of them without
// handlers, may do what the plan says and make none, and a person commands a group with an operator's
// rights.
func TestThePlannedRightsAreEnoughWhereOthersMadeTheTopics(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	url := sql.Postgres(t).URL
	users := map[string]string{"till": "t", "depot": "d", "ann": "n"}
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Security: &server.Security{Users: users}})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	const prefix = "p."
	payments := leat.Topic{Name: "test.payments", Partitions: 2, Carries: []any{paid{}}}
	parcels := leat.Topic{Name: "test.parcels", Partitions: 2, Carries: []any{shipped{}}}
	till := service.Config{Name: "till", Owns: []leat.Topic{payments}, OutboxShards: 3, Routes: func(s *service.Service) service.Routes {
		return service.Routes{"POST /pay/{id}": func(w http.ResponseWriter, r *http.Request) {
			if err := s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, paid{r.PathValue("id")}) }); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}}
	}}
	depot := service.Config{Name: "depot", Owns: []leat.Topic{parcels}, Handlers: []leat.Handler{
		outbox.Once(payments, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[paid]) error {
			return tx.Publish(ctx, shipped(e.Data))
		}),
	}}
	file := filepath.Join(t.TempDir(), "manifests.json")
	manifests, err := json.Marshal([]service.Manifest{till.Manifest(prefix), depot.Manifest(prefix)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, manifests, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (out []byte, err error) {
		var stdout, stderr bytes.Buffer
		if status := cli.Run(t.Context(), cli.Config{Args: args, Environ: []string{}, Stdout: &stdout, Stderr: &stderr}); status != 0 {
			return nil, fmt.Errorf("leat %v leaves with %d: %s%s", args, status, &stdout, &stderr)
		}
		return stdout.Bytes(), nil
	}
	must := func(args ...string) []byte {
		t.Helper()
		out, err := run(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	grant := func(args ...string) {
		t.Helper()
		var grants []kafka.Grant
		if err := json.Unmarshal(must(append([]string{"acl", "plan", "-F", file, "-o", "json"}, args...)...), &grants); err != nil {
			t.Fatal(err)
		}
		for _, g := range grants {
			b.Grant(t, g.User, g.ACLs...)
		}
	}

	must("topic", "apply", "-F", file, "-b", b.Addrs[0])
	must("topic", "plan", "-F", file, "-b", b.Addrs[0]) // nothing is left
	grant("--topics-made")
	pay := func(string) {}
	for _, c := range []service.Config{depot, till} {
		h := started(t, service.HostConfig{
			Services: []service.Config{c}, DatabaseURL: url, Prefix: prefix, CheckTopics: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Kafka: kafka.Config{
				Brokers: k.SecureBrokers(server.SASLTLS), TLS: kafka.TLSConfig{CA: k.CAFile()},
				SASL: kafka.SASLConfig{User: c.Name, Password: kafka.Secret(users[c.Name])},
			},
		})
		pay = func(id string) {
			t.Helper()
			w := httptest.NewRecorder()
			h.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/pay/"+id, nil))
			if w.Code != 200 {
				t.Fatalf("pay: %d %s", w.Code, w.Body)
			}
		}
	}
	arrives := func(topic string, want int) {
		t.Helper()
		leattest.Eventually(t, fmt.Sprintf("%d records in %s", want, topic), func() error {
			if n := len(b.ReadAll(t, prefix+topic, kgo.ReadCommitted())); n != want {
				return fmt.Errorf("%d records", n)
			}
			return nil
		})
	}
	pay("1")
	arrives(parcels.Name, 1)

	grant("--operator", "ann")
	ann := []string{
		"-b", k.SecureBrokers(server.SASLTLS)[0], "-X", "security.protocol=SASL_SSL", "-X", "ssl.ca.location=" + k.CAFile(),
		"-X", "sasl.mechanism=SCRAM-SHA-512", "-X", "sasl.username=ann", "-X", "sasl.password=" + users["ann"],
	}
	committed := func() {
		t.Helper()
		leattest.Eventually(t, "what was handled is committed", func() error {
			_, err := run(append(ann, "group", "lag", "p.depot")...)
			return err
		})
	}
	committed()
	must(append(ann, "group", "describe", "p.depot")...)
	must(append(ann, "group", "rate", "p.depot", "p.test.payments", "50", "--yes")...)
	must(append(ann, "group", "drain", "p.depot", "--wait", "2m", "--yes")...)
	pay("2")
	arrives(payments.Name, 2)
	arrives(parcels.Name, 1) // it was drained
	must(append(ann, "group", "resume", "p.depot", "--yes")...)
	arrives(parcels.Name, 2)
	committed()
	seek := append(ann, "group", "seek", "p.depot", "p.test.payments", "--to", "start", "--wait", "2m", "--yes")
	remembers(t, b, "p.leat.control", "p.depot", time.Now().Add(time.Hour))
	if _, err := run(seek...); err == nil || !strings.Contains(err.Error(), "inbox remembers what it has handled since") {
		t.Errorf("a seek back to what the inbox does not remember: %v", err)
	}
	remembers(t, b, "p.leat.control", "p.depot", time.Now().Add(-time.Hour))
	must(seek...)
	must(append(ann, "group", "pause", "p.depot", "--yes")...)
	if _, err := run(append(ann, "tail", "p.test.payments")...); err == nil {
		t.Error("an operator reads events")
	}
}

// remembers tells in place of a group how far back its inbox knows, once the group has done it itself.
func remembers(t *testing.T, b *broker.Broker, topic, group string, since time.Time) {
	t.Helper()
	client := broker.Open(t, b.Config())
	log := control.NewLog(client, topic)
	leattest.Eventually(t, "the group has told of its inbox", func() error {
		state, err := log.Read(t.Context())
		if err != nil {
			return err
		}
		if _, told := state.InboxOf(group); !told {
			return errors.New("it has not yet")
		}
		return nil
	})
	said := control.Record{Kind: control.Inbox, Group: group, Partition: control.All, Since: since, Keep: 24 * time.Hour, At: time.Now()}
	if err := log.Write(t.Context(), []control.Record{said}, nil); err != nil {
		t.Fatal(err)
	}
}

// started is a host that runs until the test ends, and is ready.
func started(t *testing.T, cfg service.HostConfig) *service.Host {
	t.Helper()
	cfg.StartTimeout = 3 * time.Minute
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
