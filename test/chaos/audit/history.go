package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Phase says what a line tells of an operation.
type Phase string

// The phases. Begun comes first; Ending says that a transaction has asked to be committed; then comes
// one of OK, Fail (it had no effect) and Info (nobody knows). Saw is a fact by itself.
const (
	Begun  Phase = "do"
	Ending Phase = "ending"
	OK     Phase = "ok"
	Fail   Phase = "fail"
	Info   Phase = "info"
	Saw    Phase = "saw"
)

// Op is what was done or seen.
type Op string

// Operations of actors.
const (
	Write Op = "write" // Records were written; with Txn in one transaction
	Poll  Op = "poll"  // Records were read; with Committed under read_committed
	Order Op = "order" // an order was placed: Key is the idempotency key, Order the id
)

// Facts.
const (
	Reader  Op = "reader"  // the actor reads all of Topics, from their start to their end
	Mark    Op = "mark"    // Offset is the high watermark of a partition and Stable its last stable offset
	Offset  Op = "offset"  // the committed Offset of Group on a partition
	Sample  Op = "sample"  // what the process Key holds, Goroutines, Files and Bytes: Idle before the load, Final when all was quiet
	Logged  Op = "log"     // Records of the final log; with Committed as read_committed sees it
	Takes   Op = "takes"   // Group takes the event Types from Topic
	Effect  Op = "effect"  // Group took effect of Records, in the order of their Seq
	Letter  Op = "letter"  // Group gave Records[0] up for Reason
	Waiting Op = "waiting" // Offset events have not left the outbox of Group, for Reason
	Stored  Op = "row"     // a Row of a service's table
)

// Record is a record of a topic.
type Record struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
	Key       string `json:"k,omitempty"`
	ID        string `json:"id,omitempty"`   // what it is, wherever it lies: source and id of an event
	Type      string `json:"type,omitempty"` // of an event
	Mark      string `json:"mark,omitempty"` // Bad, Unknown, Repeat: written so on purpose
	Seq       int64  `json:"seq,omitempty"`  // of an effect
}

// Marks of records that are not as they should be, on purpose.
const (
	Bad     = "bad"     // no event, or none that says anything sensible
	Unknown = "unknown" // an event of a type that nobody takes
	Repeat  = "repeat"  // an event that was on the topic before
)

// Row is a row of a table of the shop.
type Row struct {
	Table    string `json:"table"`
	ID       string `json:"id"` // the order, for stock the article
	Key      string `json:"key,omitempty"`
	State    string `json:"state,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Amount   int64  `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	In       int64  `json:"in,omitempty"`  // sandbox: times captured; stock: taken
	Out      int64  `json:"out,omitempty"` // sandbox: times returned; stock: available
	All      int64  `json:"all,omitempty"` // stock: counted
	Goods    []Good `json:"goods,omitempty"`
}

// Good is a number of pieces of an article.
type Good struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"n"`
}

// Line is one line of a history. Which fields count, its Op says.
type Line struct {
	Actor string `json:"a"`
	N     int64  `json:"n,omitempty"` // the actor's operation
	At    int64  `json:"t"`           // Unix nanoseconds
	Is    Phase  `json:"is"`
	Op    Op     `json:"op"`

	Records   []Record `json:"r,omitempty"`
	Txn       bool     `json:"txn,omitempty"`
	Committed bool     `json:"rc,omitempty"`
	Final     bool     `json:"final,omitempty"`
	Topics    []string `json:"topics,omitempty"`
	Topic     string   `json:"topic,omitempty"`
	Partition int32    `json:"p,omitempty"`
	Offset    int64    `json:"o,omitempty"`
	Stable    int64    `json:"lso,omitempty"`
	Group     string   `json:"group,omitempty"`
	Types     []string `json:"types,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Key       string   `json:"k,omitempty"`
	Order     string   `json:"order,omitempty"`
	Row       *Row     `json:"row,omitempty"`

	Idle       bool  `json:"idle,omitempty"`
	Goroutines int64 `json:"goroutines,omitempty"`
	Files      int64 `json:"files,omitempty"`
	Bytes      int64 `json:"bytes,omitempty"`
}

// Log is the history that one actor writes. It is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	file  *os.File
	actor string
	n     int64
}

// Create opens the file for appending, so that every line is written whole behind the others.
// Operations are counted on from the number of nanoseconds since 1970: an actor that was killed and
// runs again names none twice.
func Create(path, actor string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the history of %s: %w", actor, err)
	}
	return &Log{file: f, actor: actor, n: time.Now().UnixNano()}, nil
}

// Begin writes down that an operation begins, before it does, and returns its number.
func (l *Log) Begin(line Line) (n int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	line.N, line.Is = l.n, Begun
	return l.n, l.append(line)
}

// End writes down how operation n stands.
func (l *Log) End(n int64, is Phase, line Line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	line.N, line.Is = n, is
	return l.append(line)
}

// See writes down a fact.
func (l *Log) See(line Line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	line.Is = Saw
	return l.append(line)
}

func (l *Log) append(line Line) error {
	line.Actor, line.At = l.actor, time.Now().UnixNano()
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode a line of history: %w", err)
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("append to the history of %s: %w", l.actor, err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Read calls fn for every line of a history, in order. The line is fn's only until it returns.
func Read(r io.Reader, fn func(*Line) error) error {
	in := bufio.NewReaderSize(r, 1<<20)
	for number := 1; ; number++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what is left without its end was cut off by a kill
		}
		if err != nil {
			return fmt.Errorf("read a history: %w", err)
		}
		var line Line
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("read line %d of a history: %w", number, err)
		}
		if err := fn(&line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
}
