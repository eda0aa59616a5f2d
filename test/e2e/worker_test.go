package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
)

// bill is what a worker handles.
type bill struct {
	N     int `json:"n"`
	Cents int `json:"cents"`
}

func (bill) EventType() string { return "test.bill.v1" }

// labour is a process of a group whose handler fails for the events that a file names, until it is gone,
// and writes down what took effect: worker GROUP TOPIC WAY DIR. A script runs it as the test's own
// binary.
func labour(args []string) error {
	group, topic, way, dir := args[0], args[1], args[2], args[3]
	effects, err := os.OpenFile(filepath.Join(dir, "effects"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer effects.Close()
	handle := func(_ context.Context, e *leat.Event[bill]) error {
		if text, err := os.ReadFile(filepath.Join(dir, "broken")); err == nil {
			if regexp.MustCompile(strings.TrimSpace(string(text))).MatchString(fmt.Sprint(e.Data.N)) {
				return leat.Permanent(errors.New("the gateway says no"))
			}
		}
		_, err := fmt.Fprintf(effects, "%d:%d\n", e.Data.N, e.Data.Cents)
		return err
	}
	options := map[string][]leat.HandlerOption{
		"skip": {consumer.Park(leat.Parking{Tiers: []time.Duration{}})},
		"hold": {consumer.Park(leat.Parking{Tiers: []time.Duration{}, OnDead: leat.HoldKey})},
		"none": nil,
	}[way]
	registry := service.RegistryConfig{URLs: []string{os.Getenv("LEAT_REGISTRY_URL")}}
	client, err := registry.Open()
	if err != nil {
		return err
	}
	codec, err := registry.Codec(client, "")
	if err != nil {
		return err
	}
	c, err := consumer.New(consumer.Config{
		Group: group, Codec: codec, Kafka: kafka.Config{Brokers: strings.Split(os.Getenv("LEAT_KAFKA_BROKERS"), ",")}, CommitInterval: 100 * time.Millisecond,
		Handlers: []leat.Handler{consumer.On(leat.Topic{Name: topic, Carries: []any{bill{}}}, handle, options...)},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return c.Run(ctx)
}
