package wal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Conn is a replication connection. It is for one goroutine at a time, except for Interrupt.
type Conn struct {
	pg *pgconn.PgConn
}

// Frame is what one receipt brought.
type Frame struct {
	// Data is a message for a Decoder, good until the next receipt; nil for a sign of life.
	Data []byte
	// End is how far the server has decoded its log: what was committed before has been sent.
	End LSN
	// Reply says that the server wants an acknowledgement now.
	Reply bool
}

// within bounds everything but the stream itself.
const within = 10 * time.Second

// Open connects to the database of a URL as sqldb takes it, past any pooler: poolers do not pass
// replication on.
func Open(ctx context.Context, url string) (*Conn, error) {
	pool, err := pgxpool.ParseConfig(url) // which knows what of the URL is for the server
	if err != nil {
		return nil, fmt.Errorf("open a replication connection: %w", explain(err))
	}
	cfg := pool.ConnConfig.Config
	cfg.RuntimeParams["replication"] = "database"
	for _, timeout := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		cfg.RuntimeParams[timeout] = "0"
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("no answer within %v", within))
	defer cancel()
	pg, err := pgconn.ConnectConfig(ctx, &cfg)
	if err != nil {
		return nil, fmt.Errorf("open a replication connection: %w", explain(err))
	}
	return &Conn{pg: pg}, nil
}

// Close ends the connection.
func (c *Conn) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx)
}

// CreateSlot makes a slot for pgoutput and waits until all transactions have ended that are open now:
// those that commit later are in its stream, whole.
func (c *Conn) CreateSlot(ctx context.Context, slot string) error {
	_, err := c.pg.Exec(ctx, `CREATE_REPLICATION_SLOT `+quote(slot)+` LOGICAL pgoutput NOEXPORT_SNAPSHOT`).ReadAll()
	if err != nil {
		return fmt.Errorf("create replication slot %s: %w", slot, explain(err))
	}
	return nil
}

// Start begins to stream what the publication lets through, and logical messages, from where the slot
// was last acknowledged, or from a later place. It needs PostgreSQL 14.
func (c *Conn) Start(ctx context.Context, slot, publication string, from LSN) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("no answer within %v", within))
	defer cancel()
	command := fmt.Sprintf(`START_REPLICATION SLOT %s LOGICAL %s (proto_version '1', publication_names '%s', messages 'true', binary 'true')`, quote(slot), from, quote(publication))
	err := c.start(ctx, command)
	if err != nil {
		return fmt.Errorf("stream from replication slot %s: %w", slot, explain(err))
	}
	return nil
}

func (c *Conn) start(ctx context.Context, command string) error {
	c.pg.Frontend().Send(&pgproto3.Query{String: command})
	if err := c.pg.Frontend().Flush(); err != nil {
		return err
	}
	for {
		message, err := c.pg.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return errors.New("the server did not begin to stream")
		}
	}
}

// ErrInterrupted says that Receive returned without a frame, since Wait or Interrupt asked it to.
var ErrInterrupted = errors.New("no frame has come")

// Wait bounds how long each later Receive waits for a frame.
func (c *Conn) Wait(until time.Time) error { return c.pg.Conn().SetReadDeadline(until) }

// Interrupt ends a Receive that waits, and each later one, until Wait is called; any goroutine may
// call it.
func (c *Conn) Interrupt() { _ = c.pg.Conn().SetReadDeadline(time.Unix(1, 0)) }

// Receive waits for the next frame.
func (c *Conn) Receive() (Frame, error) {
	for {
		message, err := c.pg.ReceiveMessage(context.Background()) // the deadline is the connection's
		if err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				return Frame{}, ErrInterrupted
			}
			return Frame{}, fmt.Errorf("receive from the replication stream: %w", explain(err))
		}
		switch m := message.(type) {
		case *pgproto3.CopyData:
			f, err := parseFrame(m.Data)
			if err != nil {
				return f, fmt.Errorf("receive from the replication stream: %w", err)
			}
			return f, nil
		case *pgproto3.ErrorResponse:
			return Frame{}, fmt.Errorf("receive from the replication stream: %w", explain(pgconn.ErrorResponseToPgError(m)))
		case *pgproto3.CopyDone, *pgproto3.ReadyForQuery:
			return Frame{}, errors.New("receive from the replication stream: the server has ended it")
		}
	}
}

// parseFrame reads the frame of a message: XLogData or a keepalive.
func parseFrame(data []byte) (Frame, error) {
	r := reader{rest: data}
	var f Frame
	switch r.byte() {
	case 'w':
		r.uint64() // where it begins
		f.End = LSN(r.uint64())
		r.uint64() // clock
		f.Data = r.rest
	case 'k':
		f.End = LSN(r.uint64())
		r.uint64() // clock
		f.Reply = r.byte() == 1
	default:
		r.short = true
	}
	if r.short {
		return Frame{}, ErrMalformed
	}
	return f, nil
}

// Acknowledge tells the server that everything up to a place is safe elsewhere: it may forget it, and
// will not send it again. ask lets it answer with a sign of life.
func (c *Conn) Acknowledge(upTo LSN, ask bool) error {
	b := []byte{'r'}
	for range 3 { // written, flushed, applied
		b = binary.BigEndian.AppendUint64(b, uint64(upTo))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixMicro()-sinceEpoch))
	b = append(b, 0)
	if ask {
		b[len(b)-1] = 1
	}
	c.pg.Frontend().Send(&pgproto3.CopyData{Data: b})
	if err := c.pg.Frontend().Flush(); err != nil {
		return fmt.Errorf("acknowledge to the replication slot: %w", err)
	}
	return nil
}

// quote writes a name so that PostgreSQL takes it as it is.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
