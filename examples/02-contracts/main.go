package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/service"
)

// PriceSetV1 was in whole euros, which turned out too coarse.
type PriceSetV1 struct {
	Room  string `json:"room"`
	Euros int64  `json:"euros"`
}

func (PriceSetV1) EventType() string  { return "hotel.price.set.v1" }
func (e PriceSetV1) EventKey() string { return e.Room }

// PriceSet took its place.
type PriceSet struct {
	Room     string  `json:"room"`
	Cents    int64   `json:"cents"`
	Currency string  `json:"currency" default:"EUR"`
	Reason   *string `json:"reason" doc:"why it changed"` // came later, and breaks nobody
}

func (PriceSet) EventType() string  { return "hotel.price.set.v2" }
func (e PriceSet) EventKey() string { return e.Room }

var Prices = leat.Topic{
	Name:       "hotel.prices",
	Carries:    []any{PriceSet{}, PriceSetV1{}},
	Encoding:   leat.Avro,
	Partitions: 1,
	Upcasts: []leat.Upcast{leat.UpcastBy(func(old PriceSetV1) (PriceSet, error) {
		return PriceSet{Room: old.Room, Cents: 100 * old.Euros, Currency: "EUR"}, nil
	})},
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "contracts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	dev, err := devstack.Open(ctx, devstack.Config{Dir: dir, Listen: "127.0.0.1:0", Registry: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer dev.Close()

	seen := make(chan *leat.Event[PriceSet], 2)
	host, err := service.NewHost(service.HostConfig{
		Kafka:    dev.Config(),
		Registry: service.RegistryConfig{URLs: []string{dev.Registry()}, Schemas: service.SchemasRegister},
		Logger:   slog.New(slog.DiscardHandler),
		Services: []service.Config{
			{Name: "office", Owns: []leat.Topic{Prices}, Parts: []service.Part{{Name: "prices", Run: setPrices}}},
			{Name: "desk", Handlers: []leat.Handler{
				consumer.On(Prices, func(_ context.Context, e *leat.Event[PriceSet]) error {
					seen <- e
					return nil
				}),
			}},
		},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- host.Run(ctx) }()
	for range 2 {
		select {
		case e := <-seen:
			fmt.Fprintf(out, "%s: room %s costs %d.%02d %s\n", e.Type(), e.Data.Room, e.Data.Cents/100, e.Data.Cents%100, e.Data.Currency)
		case err := <-ended:
			return err
		}
	}
	cancel()
	return <-ended
}

// setPrices sends an event of each type, as an old release and a new one would.
func setPrices(ctx context.Context, s *service.Service) error {
	return s.Send(ctx, PriceSetV1{Room: "12", Euros: 70}, PriceSet{Room: "12", Cents: 7450, Currency: "EUR"})
}
