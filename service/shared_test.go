package service_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// tallied is a service that works as from a queue.
func tallied(effects *sync.Map) service.Config {
	return service.Config{
		Name: "tally",
		Shared: service.Shared{MaxInHand: 4, Handlers: []leat.Handler{
			consumer.On(requests, func(_ context.Context, e *leat.Event[asked]) error {
				if e.Data.ID == "bad" {
					return leat.Permanent(errors.New("it is bad"))
				}
				effects.Store(e.Data.ID, true)
				return nil
			}, consumer.Unordered()),
		}},
	}
}

// Two processes of a service take from one partition side by side, what can't be handled has its dead
// letter, and a stop leaves nothing behind.
func TestAServiceWorksAsFromAQueue(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		var effects sync.Map
		prefix := b.Name("host") + "."
		cfg := service.HostConfig{Services: []service.Config{asking(), tallied(&effects)}, DatabaseURL: "sqlite:" + t.TempDir(), Prefix: prefix, Logger: quiet()}
		cfg.Kafka.Brokers = b.Addrs
		first := hosting(t, cfg)
		cfg.Services = []service.Config{tallied(&effects)}
		cfg.DatabaseURL = ""
		hosting(t, cfg)
		ids := []string{"1", "2", "bad", "3", "4", "5"}
		for _, id := range ids {
			w := httptest.NewRecorder()
			if first.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/ask/"+id, nil)); w.Code != 200 {
				t.Fatalf("ask: %d %s", w.Code, w.Body)
			}
		}
		leattest.Eventually(t, "each event has ended", func() error {
			for _, id := range ids {
				if _, ok := effects.Load(id); !ok && id != "bad" {
					return errors.New(id)
				}
			}
			if n := len(b.ReadAll(t, prefix+"test.requests."+prefix+"tally.share.dlq", kgo.ReadCommitted())); n < 1 {
				return errors.New("no dead letter")
			}
			return nil
		})
	})
}

func TestSharedWorkIsRefusedWhereItCanNotBe(t *testing.T) {
	t.Parallel()
	on := func(options ...leat.HandlerOption) leat.Handler {
		return consumer.On(requests, func(context.Context, *leat.Event[asked]) error { return nil }, options...)
	}
	once := outbox.Once(requests, func(context.Context, *outbox.Tx, *leat.Event[asked]) error { return nil }, consumer.Unordered())
	for want, c := range map[string]service.Config{
		"":                             {Shared: service.Shared{Handlers: []leat.Handler{on(consumer.Unordered())}}},
		"a share group keeps none":     {Shared: service.Shared{Handlers: []leat.Handler{on()}}},
		"wants the inbox":              {Shared: service.Shared{Handlers: []leat.Handler{once}}},
		"both groups would handle":     {Handlers: []leat.Handler{on()}, Shared: service.Shared{Handlers: []leat.Handler{on(consumer.Unordered())}}},
		"Shared has bounds":            {Shared: service.Shared{MaxInHand: 3}},
		"of consumer groups":           {Shared: service.Shared{Handlers: []leat.Handler{on(consumer.Unordered(), consumer.RetryTopics(leat.RetryTopics{}))}}},
		"want 0 or more":               {Shared: service.Shared{MaxDeliveries: 99, Handlers: []leat.Handler{on(consumer.Unordered())}}},
		"part name \"share\" is taken": {Parts: []service.Part{{Name: "share", Run: func(context.Context, *service.Service) error { return nil }}}},
	} {
		c.Name = "tally"
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestTheManifestTellsOfSharedWorkAndRetryTopics(t *testing.T) {
	t.Parallel()
	var effects sync.Map
	c := tallied(&effects)
	c.Handlers = []leat.Handler{consumer.On(results, func(context.Context, *leat.Event[done]) error { return nil }, consumer.Unordered(),
		consumer.RetryTopics(leat.RetryTopics{Spring: &leat.SpringRetries{}}))}
	m := c.Manifest("p.")
	var got []string
	for _, a := range m.ACLs(true) {
		got = append(got, strings.Join([]string{string(a.Resource), a.Name, strings.Join(a.Operations, "+")}, " "))
	}
	slices.Sort(got)
	for _, want := range []string{
		"Group p.tally Read", "Group p.tally.share Read+DescribeConfigs", "Group p.tally-retry-60000 Read",
		"Topic p.test.results-retry-600000 Read+Write+DescribeConfigs", "Topic p.test.requests.p.tally.share.dlq Write+DescribeConfigs",
		"Topic p.test.requests Read+DescribeConfigs",
	} {
		if !slices.ContainsFunc(got, func(have string) bool { return strings.EqualFold(have, want) }) {
			t.Errorf("rights lack %q: %s", want, strings.Join(got, "\n"))
		}
	}
}
