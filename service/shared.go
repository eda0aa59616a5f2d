package service

import (
	"errors"
	"fmt"
	"slices"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
)

// Shared is work as from a queue: a share group (KIP-932, Apache Kafka 4.2 or newer) named after the
// service, NAME.share, takes single events of the handlers' topics, by as many processes as there are,
// without order; see [consumer.ShareConfig].
type Shared struct {
	// Handlers are what it does, each with consumer.Unordered; none: the service has no share group.
	Handlers []leat.Handler
	// MaxInHand is how many events a process takes at once; 0: 64.
	MaxInHand int
	// MaxDeliveries is how often an event is given to handlers at most; 0: 4.
	MaxDeliveries int
}

func (c Shared) config() consumer.ShareConfig {
	return consumer.ShareConfig{Group: "share", Handlers: c.Handlers, MaxInHand: c.MaxInHand, MaxDeliveries: c.MaxDeliveries}
}

func (c Shared) validate() error {
	if len(c.Handlers) == 0 {
		if c.MaxInHand != 0 || c.MaxDeliveries != 0 {
			return errors.New("Shared has bounds and no Handlers")
		}
		return nil
	}
	var errs []error
	for _, h := range c.Handlers {
		if h.Bind != nil {
			errs = append(errs, fmt.Errorf("handler of %s on %s in Shared wants the inbox, which knows what a consumer group has handled: put it into Handlers, or use consumer.On", h.Kind.Type, h.Topic.Name))
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	return c.config().Validate()
}

// shareGroup is the share group of a service whose consumer group is, or would be, the given one.
func shareGroup(group string) string { return group + ".share" }

func (s *Service) prepareShare() (err error) {
	if len(s.cfg.Shared.Handlers) == 0 {
		return nil
	}
	cfg := s.cfg.Shared.config()
	cfg.Group = shareGroup(s.group())
	cfg.Handlers = s.named(slices.Clone(cfg.Handlers))
	cfg.Kafka, cfg.Codec, cfg.Strict = s.kafka(), s.codec, s.cfg.Strict
	cfg.DrainTimeout, cfg.Payloads = s.host.share(0.35), s.host.payloads
	s.cfg.Tuning.share(&cfg)
	cfg.Logger, cfg.Hook = s.log, s.hook
	cfg.Metrics = s.host.metrics.For(shareGroup(s.name)) // beside the consumer's, whose place they would take
	s.share, err = consumer.NewShare(cfg)
	return err
}

// named gives handlers the names that their topics have in the cluster.
func (s *Service) named(handlers []leat.Handler) []leat.Handler {
	for i := range handlers {
		handlers[i].Topic.Name = s.host.cfg.Prefix + handlers[i].Topic.Name
		handlers[i].Kind.Topic = handlers[i].Topic.Name
	}
	return handlers
}

// consumesShared adds what the share group reads to the manifest.
func (m *Manifest) consumesShared(c Config, prefix string) {
	group := shareGroup(prefix + c.Name)
	first := len(m.Consumes)
	for _, h := range c.Shared.Handlers {
		topic := prefix + h.Topic.Name
		i := slices.IndexFunc(m.Consumes[first:], func(t Consumed) bool { return t.Topic == topic }) + first
		if i < first {
			i = len(m.Consumes)
			m.Consumes = append(m.Consumes, Consumed{Topic: topic, Share: group, DeadLetters: leat.DeadLetters(topic, group)})
		}
		m.Consumes[i].Types = append(m.Consumes[i].Types, h.Kind.Type)
	}
}

// GroupOf is the group that reads a topic of the manifest: the service's, or its share group.
func (m Manifest) GroupOf(c Consumed) string {
	if c.Share != "" {
		return c.Share
	}
	return m.Group
}

// shareACLs are the rights that the share group needs beside those on its topics.
func (m Manifest) shareACLs(checkOnly bool) []kafka.ACL {
	for _, c := range m.Consumes {
		if c.Share == "" {
			continue
		}
		operations := []string{"Read", "DescribeConfigs"}
		if !checkOnly {
			operations = append(operations, "AlterConfigs")
		}
		return []kafka.ACL{{Resource: kafka.GroupResource, Name: c.Share, Operations: operations, Why: "join the share group, which begins at the start and sees what is committed"}}
	}
	return nil
}
