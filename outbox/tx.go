package outbox

import (
	"context"
	"fmt"
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
	events []leat.Message // published, not yet written
	left   bool           // the commit is at hand: events are written at once
	wrote  bool
}

// Publish puts events into the transaction: values of types that the service's topics carry, or
// leat.With around them. They are encoded and checked at once and written right before the commit,
// so that the order in which events of one key leave is the order of the commits that hold the
// key's lock. An error leaves none of this call's events in the transaction.
func (tx *Tx) Publish(ctx context.Context, events ...any) error {
	before := len(tx.events)
	cause, now := leat.FromContext(ctx), time.Now()
	for _, e := range events {
		var m leat.Message
		err := tx.box.encoder.Encode(&m, e, cause, leat.NewID(), now)
		if err == nil {
			telemetry.Created(ctx, &m)
			err = tx.box.check(&m)
		}
		if err != nil {
			tx.events = tx.events[:before]
			return fmt.Errorf("publish: %w", err)
		}
		tx.events = append(tx.events, m)
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

// write inserts the buffered events in one statement. Why so late: with an id drawn when the event
// is published, A publishes v2 (id 1), B takes the aggregate's lock, publishes v1 (id 2) and
// commits, A gets the lock and commits, and v2 leaves first.
func (tx *Tx) write(ctx context.Context) error {
	for len(tx.events) > 0 {
		n := min(len(tx.events), maxInsert)
		if err := tx.insert(ctx, tx.events[:n]); err != nil {
			return fmt.Errorf("write %d events to the outbox: %w", n, err)
		}
		tx.events, tx.wrote = tx.events[n:], true
	}
	return nil
}

// maxInsert bounds the rows of one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535.
const maxInsert = 4000

const insertColumns = 7

func (tx *Tx) insert(ctx context.Context, events []leat.Message) error {
	args := make([]any, 0, len(events)*insertColumns)
	var attributes []byte
	for i := range events {
		m := &events[i]
		at := len(attributes)
		attributes = appendAttributes(attributes, m)
		args = append(args, m.Time.UnixMicro(), m.Topic, orNull(m.Key), m.ID, m.Type, attributes[at:len(attributes):len(attributes)], orNull(m.Data))
	}
	_, err := tx.Exec(ctx, insertSQL(len(events)), args...)
	return err
}

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

var insertTexts sync.Map // number of rows -> statement, of the few small numbers that are usual

// insertSQL is the insert of n rows. Rows of one statement get their ids in its order.
func insertSQL(n int) string {
	if text, ok := insertTexts.Load(n); ok {
		return text.(string)
	}
	var b strings.Builder
	b.WriteString(`insert into leat_outbox (at, topic, key, event_id, event_type, attributes, data) values `)
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
	if n <= 16 {
		insertTexts.Store(n, b.String())
	}
	return b.String()
}
