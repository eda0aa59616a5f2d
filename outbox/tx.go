package outbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/sqldb"
)

// Tx is a database transaction that carries events. Like sqldb.Tx it is for one goroutine at a time
// and lives as long as the function that got it.
type Tx struct {
	*sqldb.Tx
	box    *Box
	events []outgoing // published, not yet written
	left   bool       // the commit is at hand: events are written at once
	wrote  bool
}

// outgoing is an event on its way into a table.
type outgoing struct {
	leat.Message
	at      time.Time // when it was published, or is due
	delayed bool
}

// Publish puts events into the transaction: values of types that the service's topics carry, or
// leat.With around them, or At around either. They are encoded and checked at once and written right before the commit,
// so that the order in which events of one key leave is the order of the commits that hold the
// key's lock. An error leaves none of this call's events in the transaction.
func (tx *Tx) Publish(ctx context.Context, events ...any) error {
	before := len(tx.events)
	cause, now := leat.FromContext(ctx), time.Now()
	for _, e := range events {
		out := outgoing{at: now}
		if later, ok := e.(Delayed); ok {
			out.at, out.delayed, e = later.due, true, later.event
		}
		err := tx.box.encoder.Encode(&out.Message, e, cause, leat.NewID(), now)
		if err == nil {
			telemetry.Created(ctx, &out.Message)
			err = tx.box.claim(ctx, &out.Message)
		}
		if err == nil {
			err = tx.box.check(&out.Message)
		}
		if err != nil {
			tx.events = tx.events[:before]
			return fmt.Errorf("publish: %w", err)
		}
		tx.events = append(tx.events, out)
	}
	if tx.left {
		return tx.write(ctx)
	}
	return nil
}

// check refuses what could never leave.
func (b *Box) check(m *leat.Message) error {
	if size := m.Size(); size > b.cfg.MaxBytes {
		return &TooLargeError{Type: m.Type, Topic: m.Topic, ID: m.ID, Size: size, Max: b.cfg.MaxBytes}
	}
	return nil
}

// Savepoint runs fn so that its error undoes what fn did, its events included, and nothing else.
// Events published inside a savepoint that is set by other means (SQL text, a nested pgx.Tx) are
// not undone with it.
func (tx *Tx) Savepoint(ctx context.Context, fn func(ctx context.Context) error) error {
	before := len(tx.events)
	err := tx.Tx.Savepoint(ctx, fn)
	if err != nil && before <= len(tx.events) {
		tx.events = tx.events[:before]
	}
	return err
}

// leave writes the events. It is the transaction's first BeforeCommit function; what later ones
// publish is written as they publish it.
func (tx *Tx) leave(ctx context.Context) error {
	tx.left = true
	return tx.write(ctx)
}

// write inserts the buffered events, those that are due in one statement. Why so late: with an id
// drawn when the event is published, A publishes v2 (id 1), B takes the aggregate's lock, publishes
// v1 (id 2) and commits, A gets the lock and commits, and v2 leaves first.
func (tx *Tx) write(ctx context.Context) error {
	later := func(e outgoing) bool { return e.delayed }
	if slices.ContainsFunc(tx.events, later) {
		if err := tx.writeTo(ctx, delayedTable, slices.DeleteFunc(slices.Clone(tx.events), func(e outgoing) bool { return !e.delayed })); err != nil {
			return err
		}
		tx.events = slices.DeleteFunc(tx.events, later)
	}
	if err := tx.writeTo(ctx, tx.box.cfg.Mode.table(), tx.events); err != nil {
		return err
	}
	tx.events = tx.events[:0]
	return nil
}

// table is one that events are written to, and its column for their time.
type table struct{ name, time string }

var (
	outboxTable  = table{"leat_outbox", "at"}
	delayedTable = table{"leat_outbox_delayed", "due"}
	keptTable    = table{"leat_outbox_kept", "at"}
)

// table is where events that are due are written to.
func (m Mode) table() table {
	if m == ModeRetain {
		return keptTable
	}
	return outboxTable
}

// maxInsert bounds the rows of one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535.
const maxInsert = 4000

const insertColumns = 7

func (tx *Tx) writeTo(ctx context.Context, to table, events []outgoing) error {
	for part := range slices.Chunk(events, maxInsert) {
		if err := tx.insert(ctx, to, part); err != nil {
			return fmt.Errorf("write %d events to %s: %w", len(part), to.name, err)
		}
		tx.wrote = true
	}
	return nil
}

func (tx *Tx) insert(ctx context.Context, to table, events []outgoing) error {
	if err := tx.keepClaims(ctx, events); err != nil {
		return err
	}
	if to == outboxTable && tx.box.cfg.Mode == ModeMessage {
		return tx.say(ctx, events)
	}
	args := make([]any, 0, len(events)*insertColumns)
	var attributes []byte
	for i := range events {
		m := &events[i]
		at := len(attributes)
		attributes = appendAttributes(attributes, &m.Message)
		args = append(args, m.at.UnixMicro(), m.Topic, orNull(m.Key), m.ID, m.Type, attributes[at:len(attributes):len(attributes)], orNull(m.Data))
	}
	return tx.last(ctx, insertSQL(to, len(events)), len(events), args)
}

// last runs a statement for n events: with the commit where they are few.
func (tx *Tx) last(ctx context.Context, query string, n int, args []any) error {
	if n <= fewEvents {
		return tx.ExecLast(ctx, query, args...)
	}
	_, err := tx.Exec(ctx, query, args...)
	return err
}

// fewEvents travel with the commit; the text of such a statement is kept too.
const fewEvents = 16

// orNull keeps nil and empty bytes apart in the database: a nil []byte in an interface is not nil.
func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// signal wakes the relay of this process.
func (tx *Tx) signal() {
	if !tx.wrote {
		return
	}
	select {
	case tx.box.wake <- struct{}{}:
	default: // it knows
	}
}

var insertTexts sync.Map // insertKey -> statement, of the few small numbers that are usual

type insertKey struct {
	to table
	n  int
}

// insertSQL is the insert of n rows. Rows of one statement get their ids in its order.
func insertSQL(to table, n int) string {
	key := insertKey{to, n}
	if text, ok := insertTexts.Load(key); ok {
		return text.(string)
	}
	var b strings.Builder
	b.WriteString(`insert into ` + to.name + ` (` + to.time + `, topic, key, event_id, event_type, attributes, data) values `)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range insertColumns {
			if c > 0 {
				b.WriteByte(',')
			}
			b.WriteString("$" + strconv.Itoa(i*insertColumns+c+1))
		}
		b.WriteByte(')')
	}
	if n <= fewEvents {
		insertTexts.Store(key, b.String())
	}
	return b.String()
}
