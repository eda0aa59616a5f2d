package service

import (
	"context"
	"io/fs"
	"net/http"

	"github.com/leatdev/leat"
)

// Config says what a service is: a plain value, the same in a process of its own, beside others in
// one process, and in a test.
type Config struct {
	// Name is the service's name: its consumer group, the source of its events, its database (the
	// SQLite file NAME.db or the PostgreSQL schema NAME). Required; lower-case letters, digits and
	// '-', beginning with a letter, at most 40 bytes.
	Name string

	// Owns are the topics that the service writes and makes: no other service does.
	Owns []leat.Topic

	// Handlers say what the service does with the events of other services' topics and its own.
	Handlers []leat.Handler

	// Shared is work that is done as from a queue, by a share group beside the consumer group.
	Shared Shared

	// OutboxShards is how many relays share the service's outbox, each with the events of its keys and
	// divided among the processes; see outbox.RelayConfig. On PostgreSQL only: SQLite has one. 0: 1.
	OutboxShards int

	// Tuning sets bounds and times of the consumer, the inbox and the relay; its zero value leaves all
	// at their defaults.
	Tuning Tuning

	// Migrations are the files NNNN_name.sql of the service's own tables, at the root or in one
	// directory. Variants NNNN_name.postgres.sql and NNNN_name.sqlite.sql win on their database.
	Migrations fs.FS

	// Routes gives the HTTP routes of the service. It is called once, before anything runs.
	Routes func(s *Service) Routes

	// Parts run beside the handlers, from when the consumer runs until the drain.
	Parts []Part

	// Encoding is how the events of topics in Owns are written that do not say it themselves; "":
	// plain JSON. All but that need a schema registry, see HostConfig.Registry. What is read goes by the
	// record, whatever the topic says.
	Encoding leat.Encoding

	// Codec encodes and decodes the data of events in place of the encodings; nil: they hold.
	Codec leat.Codec

	// Strict sends events of a type that no handler takes to the dead letters; false: they are
	// counted and passed over.
	Strict bool
}

// Routes are HTTP handlers by the pattern that http.ServeMux gives them, for example
// "POST /orders/{id}/cancel". A pattern that another service of the process has is refused.
type Routes map[string]http.HandlerFunc

// Part is something that a service does on its own account, such as calling a gateway for the rows
// that wait for it.
type Part struct {
	// Name tells the part from others in logs and in /readyz; required.
	Name string
	// Run works until ctx is cancelled, then finishes what is in hand and returns. Nil before
	// that means that it is done for good; an error ends the host.
	Run func(ctx context.Context, s *Service) error
}
