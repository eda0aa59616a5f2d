package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

// stream is the inserts into the outbox as a replication slot brings them, in the order of their
// commits. The table stays the truth: a row that is in it has not left.
type stream struct {
	db                *sqldb.DB
	url               string
	slot, publication string                      // the publication's name begins what is said to the log too
	create            bool                        // the slot is to be made first
	made              func(context.Context) error // called when it is
	opened            chan struct{}               // closed once the stream has begun
	came              chan chunk
	ended             chan struct{} // closed when nothing more comes
	acked             atomic.Uint64 // everything before is in Kafka
	cancel            context.CancelCauseFunc
	pump              sync.WaitGroup
	err               error // why; set before ended is closed

	mu   sync.Mutex
	conn *wal.Conn // guarded by mu: to interrupt the pump

	rest  chunk   // came and was not taken
	upTo  wal.LSN // everything before was taken
	doubt wal.LSN // what was committed before may have left: the table knows
	left  place   // what was said up to there has left
}

// chunk is a part of the stream.
type chunk struct {
	rows []arrival
	end  wal.LSN // behind it; 0: its transaction goes on
}

// arrival is a row whose transaction was committed at a place in the log.
type arrival struct {
	commit wal.LSN
	xid    uint32 // of the transaction
	row    row
	event  leat.Message
}

const (
	statusEvery = time.Second
	chunkBytes  = 256 << 10
	chunks      = 64 // that may wait
	streamWait  = 50 * time.Millisecond
)

// begin starts the pump, which ends with close.
func (s *stream) begin(ctx context.Context) {
	s.opened, s.ended, s.came = make(chan struct{}), make(chan struct{}), make(chan chunk, chunks)
	ctx, s.cancel = context.WithCancelCause(ctx)
	s.pump.Go(func() {
		defer close(s.ended)
		s.err = s.run(ctx)
	})
}

func (s *stream) close() {
	s.cancel(errors.New("the stream is closed"))
	s.mu.Lock()
	if s.conn != nil {
		s.conn.Interrupt()
	}
	s.mu.Unlock()
	s.pump.Wait()
}

// isOpen says whether the slot is there and read, or why it will not be.
func (s *stream) isOpen() (bool, error) {
	select {
	case <-s.ended:
		return false, s.failure()
	case <-s.opened:
		return true, nil
	default:
		return false, nil
	}
}

func (s *stream) failure() error {
	return fmt.Errorf("read the outbox's replication slot: %w", s.err)
}

// run opens the stream and passes on what it brings.
func (s *stream) run(ctx context.Context) error {
	conn, err := wal.Open(ctx, s.url)
	if err != nil {
		return setupOf(err)
	}
	defer conn.Close()
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	if s.create {
		if err := conn.CreateSlot(ctx, s.slot); err != nil {
			return setupOf(err)
		}
		if err := s.made(ctx); err != nil {
			return err
		}
	}
	if err := s.start(ctx, conn); err != nil {
		return setupOf(err)
	}
	close(s.opened)
	err = s.receive(ctx, conn)
	_ = conn.Acknowledge(wal.LSN(s.acked.Load()), false) // if it can't be had, more comes again
	return err
}

// start begins to stream. The slot may still be in the hands of a relay that was fenced off and
// hangs: only who leads comes here, so that one is ended.
func (s *stream) start(ctx context.Context, conn *wal.Conn) error {
	for began := time.Now(); ; {
		err := conn.Start(ctx, s.slot, s.publication, 0)
		if err == nil || !errors.Is(err, wal.ErrBusy) || time.Since(began) > 10*time.Second {
			return err
		}
		if err := s.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return wal.Free(ctx, tx, s.slot) }); err != nil {
			return err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// receive decodes the stream until ctx ends.
func (s *stream) receive(ctx context.Context, conn *wal.Conn) error {
	in := intake{prefix: s.publication}
	var told time.Time
	for {
		if time.Since(told) >= statusEvery {
			told = time.Now()
			if err := errors.Join(conn.Acknowledge(wal.LSN(s.acked.Load()), true), conn.Wait(told.Add(statusEvery))); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := conn.Receive()
		switch {
		case errors.Is(err, wal.ErrInterrupted):
			continue
		case err != nil:
			return err
		}
		part, err := in.take(f)
		if err != nil {
			return err
		}
		if f.Reply {
			told = time.Time{}
		}
		if part.end == 0 && len(part.rows) == 0 {
			continue
		}
		if err := s.pass(ctx, conn, part); err != nil {
			return err
		}
	}
}

// pass hands a chunk on, and keeps the server informed while it waits for room.
func (s *stream) pass(ctx context.Context, conn *wal.Conn, part chunk) error {
	select {
	case s.came <- part:
		return nil
	default:
	}
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	for {
		select {
		case s.came <- part:
			return nil
		case <-status.C:
			if err := conn.Acknowledge(wal.LSN(s.acked.Load()), false); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// intake turns frames into chunks.
type intake struct {
	decoder wal.Decoder
	change  wal.Change
	prefix  string  // of what is said to the log for this outbox
	inside  bool    // a transaction
	commit  wal.LSN // of that one
	xid     uint32
	number  int32 // of the last event that it has said
	open    chunk
	bytes   int
}

// take takes a frame in and gives what it completes, if anything: a transaction, a good piece of one,
// or a place up to which nothing came.
func (in *intake) take(f wal.Frame) (done chunk, err error) {
	if f.Data == nil {
		if !in.inside {
			done.end = f.End
		}
		return done, nil
	}
	c := &in.change
	if err := in.decoder.Decode(f.Data, c); err != nil {
		return done, err
	}
	switch c.Kind {
	case wal.Begin:
		in.inside, in.commit, in.xid, in.number = true, c.LSN, c.XID, 0
	case wal.Insert:
		if c.Table.Name != outboxTable.name {
			return done, nil
		}
		a := arrival{commit: in.commit, xid: in.xid}
		if err := readInsert(c, &a); err != nil {
			return done, fmt.Errorf("read outbox row %d from the replication stream: %w", a.row.id, err)
		}
		return in.add(a), nil
	case wal.Message:
		if c.Prefix != in.prefix || !c.Transactional {
			return done, nil
		}
		in.number++
		a := arrival{commit: in.commit, xid: in.xid, row: row{id: -int64(c.LSN), at: place{in.commit, in.number}}}
		if err := readSaying(string(c.Content), &a.event); err != nil {
			return done, fmt.Errorf("read what was said to the log at %v: %w", c.LSN, err)
		}
		return in.add(a), nil
	case wal.Commit:
		done, in.open, in.bytes = in.open, chunk{}, 0
		in.inside, done.end = false, c.End
	}
	return done, nil
}

// add takes an event in, and gives a piece of its transaction where that has grown large.
func (in *intake) add(a arrival) (done chunk) {
	in.open.rows = append(in.open.rows, a)
	if in.bytes += a.event.Size(); in.bytes >= chunkBytes {
		done, in.open, in.bytes = in.open, chunk{}, 0
	}
	return done
}

// readInsert reads an inserted row, whatever the order of its columns.
func readInsert(c *wal.Change, a *arrival) (err error) {
	m, known := &a.event, 0
	for i, v := range c.Row {
		known++
		switch c.Table.Columns[i] {
		case "id":
			a.row.id, err = v.Int()
		case "skip":
			a.row.skip, err = v.Bool()
		case "topic":
			m.Topic = v.Text()
		case "key":
			m.Key, err = v.Bytes()
		case "event_id":
			m.ID = v.Text()
		case "event_type":
			m.Type = v.Text()
		case "attributes":
			err = readAttributes(v.Text(), m)
		case "data":
			m.Data, err = v.Bytes()
		default:
			known--
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Table.Columns[i], err)
		}
	}
	if known != 8 {
		return fmt.Errorf("%w: %d of 8 columns", wal.ErrMalformed, known)
	}
	return nil
}

// next takes the next batch from the stream, and waits a little for the first row.
func (s *stream) next(ctx context.Context, l look, b *batch) error {
	clear(b.events)
	*b = batch{rows: b.rows[:0], events: b.events[:0], streamed: true}
	wait := time.NewTimer(streamWait)
	defer wait.Stop()
	uncertain, xids := false, []uint32(nil)
	for {
		n := 0
		for n < len(s.rest.rows) && len(b.rows) < l.rows && b.bytes < l.bytes {
			a := &s.rest.rows[n]
			if n++; a.row.said() {
				if !a.row.at.after(s.left) {
					continue
				}
				b.said = a.row.at
			} else {
				uncertain = uncertain || a.commit < s.doubt
			}
			b.rows, b.events = append(b.rows, a.row), append(b.events, a.event)
			if len(xids) == 0 || xids[len(xids)-1] != a.xid {
				xids = append(xids, a.xid)
			}
			b.bytes += a.event.Size()
		}
		if s.rest.rows = s.rest.rows[n:]; len(s.rest.rows) > 0 {
			b.full = true
			break
		}
		s.upTo = max(s.upTo, s.rest.end)
		if more, err := s.more(ctx, wait.C, len(b.rows) > 0); err != nil || !more {
			if err != nil {
				return err
			}
			break
		}
	}
	b.upTo = s.upTo
	if err := visible(ctx, s.db, xids); err != nil {
		return err
	}
	if uncertain {
		if err := s.certify(ctx, l, b); err != nil {
			return err
		}
	}
	b.seal()
	return nil
}

// more waits for the next chunk, where there is something already only for one that has come.
func (s *stream) more(ctx context.Context, wait <-chan time.Time, some bool) (more bool, err error) {
	select {
	case s.rest = <-s.came:
		return true, nil
	default:
		if some {
			return false, nil
		}
	}
	select {
	case s.rest = <-s.came:
		return true, nil
	case <-s.ended:
		return false, s.failure()
	case <-wait:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// certify leaves in the batch what is still in the table and not on its way out.
func (s *stream) certify(ctx context.Context, l look, b *batch) error {
	asked := make([]int64, 0, len(b.rows))
	for i := range b.rows {
		if !b.rows[i].said() {
			asked = append(asked, b.rows[i].id)
		}
	}
	there, err := present(ctx, s.db, asked)
	if err != nil {
		return err
	}
	n := 0
	b.bytes = 0
	for i := range b.rows {
		r := b.rows[i]
		if !r.said() {
			skip, waits := there[r.id]
			if !waits || l.passes(r.id) {
				continue
			}
			r.skip = skip
		}
		b.rows[n], b.events[n] = r, b.events[i]
		b.bytes += b.events[n].Size()
		n++
	}
	clear(b.events[n:])
	b.rows, b.events = b.rows[:n], b.events[:n]
	return nil
}

// present says which of these rows are in the table, and whether they are to be skipped.
func present(ctx context.Context, db *sqldb.DB, asked []int64) (there map[int64]bool, err error) {
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		there = map[int64]bool{}
		rows, err := tx.Query(ctx, `select id, skip from leat_outbox where id = any($1::bigint[])`, asked)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var skip bool
			if err := rows.Scan(&id, &skip); err != nil {
				return err
			}
			there[id] = skip
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look which outbox rows have not left: %w", err)
	}
	return there, nil
}

// visible waits until the transactions are seen by everyone. The log has a commit before that, by an
// instant or by as long as a synchronous standby takes: a look at the table in between misses the
// row, and a delete spares it.
func visible(ctx context.Context, db *sqldb.DB, xids []uint32) error {
	for wait := time.Millisecond; len(xids) > 0; wait = min(2*wait, 100*time.Millisecond) {
		var snapshot string
		err := db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, `select pg_current_snapshot()::text`).Scan(&snapshot)
		})
		if err != nil {
			return fmt.Errorf("look which transactions are visible: %w", err)
		}
		hidden, err := inProgress(snapshot)
		if err != nil {
			return err
		}
		if xids = slices.DeleteFunc(xids, func(xid uint32) bool { return !hidden(xid) }); len(xids) == 0 {
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// inProgress reads a snapshot, xmin:xmax:xip,xip..., in which a transaction has not ended yet that is
// not below xmax, or named. Places in the log have the lower half of the ids.
func inProgress(snapshot string) (func(xid uint32) bool, error) {
	part := strings.SplitN(snapshot, ":", 3)
	if len(part) != 3 {
		return nil, fmt.Errorf("read snapshot %q: it has not three parts", snapshot)
	}
	numbers := []string{part[1]}
	if part[2] != "" {
		numbers = append(numbers, strings.Split(part[2], ",")...)
	}
	ids := make([]uint32, len(numbers))
	for i, text := range numbers {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read snapshot %q: %w", snapshot, err)
		}
		ids[i] = uint32(n)
	}
	return func(xid uint32) bool { return int32(xid-ids[0]) >= 0 || slices.Contains(ids[1:], xid) }, nil
}

// seal notes the ids of a batch that is not in their order, and their digest in their order.
func (b *batch) seal() {
	byID := make([]int, 0, len(b.rows))
	for i := range b.rows {
		if !b.rows[i].said() {
			byID = append(byID, i)
		}
	}
	slices.SortFunc(byID, func(i, j int) int { return int(b.rows[i].id - b.rows[j].id) })
	sum := newDigest()
	for _, i := range byID {
		b.ids = b.ids.add(b.rows[i].id)
		sum.add(b.rows[i].id, b.events[i].ID)
	}
	b.sum = sum.String()
}
