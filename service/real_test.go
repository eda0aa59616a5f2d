package service_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// One request goes through two services, two databases and back out, on each broker and database.
func TestHostOnEachBrokerAndDatabase(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		t.Run("sqlite", func(t *testing.T) { through(t, b, "sqlite:"+t.TempDir()) })
		t.Run("postgres", func(t *testing.T) { through(t, b, sql.Postgres(t).URL) })
	})
}

func through(t *testing.T, b *broker.Broker, url string) {
	worker := service.Config{
		Name: "worker", Owns: []leat.Topic{results},
		Migrations: migration("create table seen (id text primary key)"),
		Handlers: []leat.Handler{outbox.Once(requests, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[asked]) error {
			if _, err := tx.Exec(ctx, `insert into seen (id) values ($1)`, e.Data.ID); err != nil {
				return err
			}
			return tx.Publish(ctx, done(e.Data))
		})},
	}
	prefix := b.Name("host") + "."
	cfg := service.HostConfig{Services: []service.Config{asking(), worker}, DatabaseURL: url, Prefix: prefix, Logger: quiet()}
	cfg.Kafka.Brokers = b.Addrs
	h, err := service.NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	leattest.Eventually(t, "the host is ready", func() error {
		select {
		case err := <-ended:
			t.Fatalf("the host ended: %v", err)
		default:
		}
		return h.Ready()
	})
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/ask/1", nil))
	if w.Code != 200 {
		t.Fatalf("ask: %d %s", w.Code, w.Body)
	}
	leattest.Eventually(t, "the result is out", func() error {
		if n := len(b.ReadAll(t, prefix+"test.results", kgo.ReadCommitted())); n != 1 {
			return errors.New("not yet")
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
