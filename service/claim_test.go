package service_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// scan is an event that no topic takes: it is twice as large.
type scan struct {
	ID    string `json:"id"`
	Image string `json:"image"`
}

func (scan) EventType() string  { return "test.scan.made.v1" }
func (e scan) EventKey() string { return e.ID }

// photo is another, of a service that only sends.
type photo scan

func (photo) EventType() string  { return "test.photo.made.v1" }
func (e photo) EventKey() string { return e.ID }

var photos = leat.Topic{Name: "test.photos", Carries: []any{photo{}}}

var scans = leat.Topic{Name: "test.scans", Carries: []any{scan{}}}

// An event larger than its topic takes travels by a claim check, from one service's transaction, or sent
// without one, to another's handler, on each kind of cluster and store.
func TestLargeEventsTravelByClaimCheck(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		t.Run("directory", func(t *testing.T) { large(t, b, "sqlite:"+t.TempDir(), "file:"+t.TempDir()) })
		t.Run("postgres", func(t *testing.T) { url := sql.Postgres(t).URL; large(t, b, url, url) })
	})
}

func large(t *testing.T, b *broker.Broker, database, payloads string) {
	image := strings.Repeat("0123456789abcdef", 128<<10) // 2 MiB
	got := make(chan int, 10)
	prefix := b.Name("large") + "."
	cfg := service.HostConfig{
		DatabaseURL: database, PayloadURL: payloads, Prefix: prefix, Logger: quiet(),
		Services: []service.Config{
			{Name: "scanner", Owns: []leat.Topic{scans}},
			{Name: "wire", Owns: []leat.Topic{photos}},
			{Name: "album", Handlers: []leat.Handler{consumer.On(photos, func(_ context.Context, e *leat.Event[photo]) error {
				if e.Data.Image == image {
					got <- len(e.Data.Image)
				}
				return nil
			})}},
			{Name: "archive", Handlers: []leat.Handler{outbox.Once(scans, func(_ context.Context, _ *outbox.Tx, e *leat.Event[scan]) error {
				if e.Data.Image != image {
					return leat.Permanent(fmt.Errorf("%d bytes arrived", len(e.Data.Image)))
				}
				got <- len(e.Data.Image)
				return nil
			})}},
		},
	}
	cfg.Kafka.Brokers = b.Addrs
	h := hosting(t, cfg)
	err := h.Service("scanner").Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		return tx.Publish(ctx, scan{"1", image})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Service("scanner").Send(t.Context(), scan{"2", image}); err != nil {
		t.Fatal(err)
	}
	if err := h.Service("wire").Send(t.Context(), photo{"3", image}); err != nil {
		t.Fatal(err)
	}
	leattest.Eventually(t, "the events are handled whole", func() error {
		if len(got) < 3 {
			return fmt.Errorf("%d; %v", len(got), h.Ready())
		}
		return nil
	})
}
