package service

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/control"
)

// Manifest is what a service takes, gives and owns, for whoever draws maps or grants rights.
type Manifest struct {
	Service  string       `json:"service"`
	Group    string       `json:"group,omitempty"`   // of the consumer; "": it consumes nothing
	Control  string       `json:"control,omitempty"` // topic of commands to the group: read, written, made where it is missing
	Consumes []Consumed   `json:"consumes"`
	Produces []Produced   `json:"produces"`
	Owns     []OwnedTopic `json:"owns"`
	// TransactionalIDs is what the transactional ids of the service's transforms begin with; "": it has none.
	TransactionalIDs string  `json:"transactional_ids,omitempty"`
	Outbox           *Outbox `json:"outbox,omitempty"` // of a service that owns topics and has a database
	// Contracts are the schemas of what the service writes; see [Config.Contracts].
	Contracts []Contract `json:"contracts,omitempty"`
}

// Outbox is what the relay of the service has of its own on the cluster.
type Outbox struct {
	PositionTopic   string `json:"position_topic"`   // made by the service, with a partition per shard
	Shards          int    `json:"shards"`           // most that the service asks for; see Config.OutboxShards
	TransactionalID string `json:"transactional_id"` // how its transactional ids begin
	// DeadLetters are the topics that get a letter for each event that can't leave, made at need.
	DeadLetters []string `json:"dead_letters"`
}

// Consumed is a topic that the service reads and the event types that it handles there.
type Consumed struct {
	Topic       string   `json:"topic"`
	Types       []string `json:"types"`
	Share       string   `json:"share,omitempty"`   // share group that reads it, as from a queue; "": the service's group does
	DeadLetters string   `json:"dead_letters"`      // topic, made by the service
	Park        string   `json:"park,omitempty"`    // topic of parked events, made by the service; "": none are
	Retries     []Retry  `json:"retries,omitempty"` // topics of events that are tried again later, made by the service
	Redrive     string   `json:"redrive,omitempty"` // topic by which dead letters come back where none are parked, made by the redrive
}

// Retry is a topic in which events wait to be tried again.
type Retry struct {
	Topic string `json:"topic"`
	Group string `json:"group"` // that reads it: the service's, or one beside it with Spring's names
}

// Produced is an event type that the service writes.
type Produced struct {
	Type  string `json:"type"`
	Topic string `json:"topic"`
}

// OwnedTopic is a topic that the service makes.
type OwnedTopic struct {
	Topic       string            `json:"topic"`
	Partitions  int               `json:"partitions"`
	Replication int               `json:"replication,omitempty"` // 0: the broker's default
	Config      map[string]string `json:"config,omitempty"`
}

// Manifest describes the service, with prefix before the names of topics and the group.
func (c Config) Manifest(prefix string) Manifest {
	m := Manifest{Service: c.Name, Consumes: []Consumed{}, Produces: []Produced{}, Owns: []OwnedTopic{}}
	if len(c.Handlers) > 0 {
		m.Group = prefix + c.Name
		m.Control = prefix + control.Topic
	}
	for _, h := range c.Handlers {
		if h.Transform != nil {
			m.TransactionalIDs = consumer.TransactionalIDs(m.Group)
		}
		topic := prefix + h.Topic.Name
		i := slices.IndexFunc(m.Consumes, func(t Consumed) bool { return t.Topic == topic })
		if i < 0 {
			i = len(m.Consumes)
			m.Consumes = append(m.Consumes, Consumed{Topic: topic, DeadLetters: leat.DeadLetters(topic, m.Group), Redrive: leat.RedriveTopic(topic, m.Group)})
		}
		m.Consumes[i].Types = append(m.Consumes[i].Types, h.Kind.Type)
		if h.Parking != nil {
			m.Consumes[i].Park = leat.ParkTopic(topic, m.Group)
		}
		if h.Later != nil && m.Consumes[i].Retries == nil {
			for _, tier := range h.Later.Tiers(topic, m.Group) {
				m.Consumes[i].Retries = append(m.Consumes[i].Retries, Retry{tier.Topic, tier.Group})
			}
			m.Consumes[i].Retries = slices.Compact(m.Consumes[i].Retries)
		}
	}
	m.consumesShared(c, prefix)
	if len(c.Owns) > 0 {
		position := positionTopic(prefix, c.Name)
		m.Outbox = &Outbox{PositionTopic: position, Shards: max(c.OutboxShards, 1), TransactionalID: position + "."}
		for _, t := range prefixed(prefix, c.Owns) {
			m.Outbox.DeadLetters = append(m.Outbox.DeadLetters, leat.DeadLetters(t.Name, prefix+c.Name))
		}
	}
	for _, t := range prefixed(prefix, c.Owns) {
		partitions := t.Partitions
		if partitions == 0 {
			partitions = leat.DefaultPartitions
		}
		m.Owns = append(m.Owns, OwnedTopic{t.Name, partitions, t.Replication, t.Config})
		kinds, _ := t.Kinds() // Validate tells of faults
		for _, k := range kinds {
			m.Produces = append(m.Produces, Produced{k.Type, t.Name})
		}
	}
	m.sort()
	return m
}

// sort makes the manifest the same however the service lists things.
func (m Manifest) sort() {
	slices.SortFunc(m.Consumes, func(a, b Consumed) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.Share, b.Share))
	})
	for _, c := range m.Consumes {
		slices.Sort(c.Types)
	}
	slices.SortFunc(m.Produces, func(a, b Produced) int { return strings.Compare(a.Type, b.Type) })
	if m.Outbox != nil {
		slices.Sort(m.Outbox.DeadLetters)
	}
	slices.SortFunc(m.Owns, func(a, b OwnedTopic) int { return strings.Compare(a.Topic, b.Topic) })
}

// Sender is the name that the letters of the service's outbox bear in place of a group's, "" where it has
// none.
func (m Manifest) Sender() string {
	if m.Outbox == nil {
		return ""
	}
	return strings.TrimSuffix(m.Outbox.PositionTopic, positionTopic("", m.Service)) + m.Service
}

// positionTopic is where the relay of a service keeps its position.
func positionTopic(prefix, service string) string { return prefix + "leat.outbox." + service }
