package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/test/chaos/audit"
)

// copierName is the service that copies what the writers send, exactly once.
const copierName = "copier"

// copied is an event's copy, with what it is a copy of.
type copied struct {
	ID        string `json:"id"` // source and id
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	key       string
}

// EventType implements leat.Named.
func (copied) EventType() string { return "chaos.tick.copied.v1" }

// EventKey implements leat.Keyed.
func (c copied) EventKey() string { return c.key }

var copiedTopic = leat.Topic{Name: "chaos.copied", Carries: []any{copied{}}, Partitions: writerPartitions}

// copier copies each event of the writers into one of the same key. The copy's id says of what, so that
// two copies of one event are told as one record that lies twice.
func copier() service.Config {
	return service.Config{
		Name: copierName, Owns: []leat.Topic{copiedTopic},
		Handlers: []leat.Handler{consumer.Transform(sentTopic, func(_ context.Context, e *leat.Event[tick]) ([]leat.Outgoing, error) {
			source, id := e.Identity()
			at := e.Position()
			c := copied{ID: source + "/" + id, Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, key: string(e.Key())}
			return []leat.Outgoing{leat.With(c, func(m *leat.Message) { m.ID = "copy-of-" + c.ID })}, nil
		})},
	}
}

// copy runs the copier as a service of its own until ctx ends.
func (r role) copy(ctx context.Context) error {
	settings := map[string]string{}
	for i := 1; i < len(sessions); i += 2 {
		more, err := kafka.ParseProperties(sessions[i : i+1])
		if err != nil {
			return err
		}
		for name, value := range more {
			settings[name] = value
		}
	}
	host, err := service.NewHost(service.HostConfig{
		Services: []service.Config{copier()}, Listen: r.Listen, Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
		Kafka: kafka.Config{Brokers: r.Brokers, ClientID: r.Name, Properties: settings},
	})
	if err != nil {
		return err
	}
	return host.Run(ctx)
}

// copies writes down the copies as what they are: effects, in the order in which they lie per key.
func (g *gatherer) copies(ctx context.Context, ends map[string]kadm.ListedOffset) error {
	of := map[string]kadm.ListedOffset{}
	for at, o := range ends {
		if o.Topic == copiedTopic.Name {
			of[at] = o
		}
	}
	return read(ctx, g.brokers, true, of, func(r *kgo.Record) error {
		var c copied
		if err := json.Unmarshal(r.Value, &c); err != nil {
			return fmt.Errorf("read the copy %s@%d: %w", place(r.Topic, r.Partition), r.Offset, err)
		}
		effect := audit.Record{Topic: c.Topic, Partition: c.Partition, Offset: c.Offset, Key: string(r.Key), ID: c.ID, Seq: r.Offset}
		return g.log.See(audit.Line{Op: audit.Effect, Group: copierName, Records: []audit.Record{effect}})
	})
}
