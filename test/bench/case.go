package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// benchCase is one thing that is measured, by several contenders; the first is the raw client.
type benchCase struct {
	records    int
	contenders []string // those that work does not know run in the JVM
	filled     bool     // all read the same topic, which is filled once
	bySpan     bool     // the median is taken by the span
	ownBroker  bool     // brings its own servers, or runs the binary
	work       map[string]func(context.Context, options) (int, error)
	prepare    func(ctx context.Context, o options) error // once per round and contender, outside its process
	measure    func(ctx context.Context, o options, contender string, round int) (figures, error)
}

var cases map[string]benchCase

func init() {
	cases = map[string]benchCase{
		"consume": inProcess(benchCase{
			records: 1_000_000, contenders: []string{"kgo", "leat", "sarama", "watermill", "java", "spring"}, filled: true,
			work:    map[string]func(context.Context, options) (int, error){"kgo": rawGroup(nil), "leat": consumeLeat, "sarama": consumeSarama, "watermill": consumeWatermill},
			prepare: fillForConsume,
		}),
		"typed": inProcess(benchCase{
			records: 1_000_000, contenders: []string{"kgo+json", "kgo+same", "leat", "sarama+json", "watermill", "java", "spring"}, filled: true,
			work:    map[string]func(context.Context, options) (int, error){"kgo+json": rawGroup(decodeOrder), "kgo+same": rawGroup(decodeSame), "leat": typedLeat, "sarama+json": typedSarama, "watermill": typedWatermill},
			prepare: fillTyped,
		}),
		"slow1000": slowCase(1000),
		"slow20":   slowCase(20),
		"produce": inProcess(benchCase{
			records: 500_000, contenders: []string{"kgo+json", "kgo+json+ce", "leat", "sarama", "sarama+ce", "watermill", "java", "spring"},
			work:    map[string]func(context.Context, options) (int, error){"kgo+json": produceRaw, "kgo+json+ce": produceRawEvents, "leat": produceLeat, "sarama": produceSarama, "sarama+ce": produceSaramaEvents, "watermill": produceWatermill},
			prepare: freshTopic,
		}),
		"transform": transformCase(),
		"once":      onceCase(),
		"failing":   failingCase(),
		"joins":     joinsCase(),
		"relay":     relayCase(),
		"latency":   latencyCase(),
		"writers":   writersCase(),
		"order":     orderCase(),
		"encode":    codecCase(false), "decode": codecCase(true),
		"registry": registryCase(), "registry-start": registryStart(),
	}
}

func inProcess(c benchCase) benchCase {
	c.measure = func(ctx context.Context, o options, contender string, round int) (figures, error) {
		o.topic = fmt.Sprintf("bench.%s.%x", strings.Map(letters, contender), rand.Uint64())
		if c.filled {
			o.topic = "bench." + o.name
		}
		if err := c.prepare(ctx, o); err != nil {
			return figures{}, fmt.Errorf("prepare: %w", err)
		}
		if c.work[contender] == nil {
			return spawnJVM(ctx, o, contender)
		}
		return spawn(ctx, o, contender)
	}
	return c
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

const partitions = 6

func freshTopic(ctx context.Context, o options) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...))
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, o.topic)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", o.topic, err)
	}
	return r.Err
}

// order is the event of all cases: about 300 bytes of JSON.
type order struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Currency   string `json:"currency"`
	PlacedAt   string `json:"placed_at"`
	Note       string `json:"note"`
	Items      []item `json:"items"`
	Total      int64  `json:"total"`
}

type item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Price    int64  `json:"unit_price"`
}

// EventType names the contract.
func (order) EventType() string { return "bench.order.placed.v1" }

// EventKey keeps the events of an order in order.
func (o order) EventKey() string { return o.OrderID }

func orderAt(i int) order {
	return order{
		OrderID: fmt.Sprintf("order-%06d", i%10_000), CustomerID: fmt.Sprintf("customer-%05d", i%5_000), Currency: "EUR",
		PlacedAt: "2026-01-02T03:04:05.678Z", Note: "leave it with the neighbour at number 12", Total: 12_345,
		Items: []item{{"sku-1001", 2, 1999}, {"sku-1002", 1, 4599}, {"sku-1003", 3, 999}},
	}
}

func env(name string) (string, error) {
	v := os.Getenv(name)
	if v == "" {
		return "", fmt.Errorf("%s is not set: run under `go run ./test/servers -kafka -postgres --`", name)
	}
	return v, nil
}

func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 5*time.Minute)
}
