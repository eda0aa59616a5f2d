package outbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"time"
)

// position is the record that each Kafka transaction of the relay writes beside its events: exactly
// which rows it took out. Its key is the outbox's id.
type position struct {
	Version  int       `json:"v"`
	Number   int64     `json:"number"` // counts the transactions of the outbox
	At       time.Time `json:"at"`
	Database database  `json:"database"`
	Token    string    `json:"token"` // of the takeover it belongs to
	departure
	Said    *place      `json:"said,omitempty"`    // mode message: all that Slot has brought up to there has left
	Slot    string      `json:"slot,omitempty"`    // modes wal and message: which replication slot has brought all rows since it was made
	Earlier []departure `json:"earlier,omitempty"` // batches before this one that may still be in the database, oldest first
}

// departure is the rows of one batch. They go out of the database together or not at all.
type departure struct {
	Rows   ids      `json:"rows"`             // taken, the parked ones included
	Digest string   `json:"digest"`           // of those rows, so that others with the same ids are told apart
	Parked []parked `json:"parked,omitempty"` // of the rows, those that did not leave
}

// next is the position when the batch has left, and maybe earlier ones with it. It keeps nothing of the batch's own memory, which is
// used again: a batch without a place in the log hands on that of the one before.
func (p position) next(b *batch, out []parked, earlier []departure, now time.Time) position {
	p.Number, p.At, p.departure, p.Earlier = p.Number+1, now, departure{b.ids, b.sum, out}, earlier
	if b.said.Number > 0 {
		p.Said = new(b.said)
	}
	return p
}

type parked struct {
	ID     int64  `json:"id"`
	Reason string `json:"reason"`
}

// database tells one database from another, and from its own past: a restored backup, a promoted
// standby, another file in the same place.
type database struct {
	Outbox   string `json:"outbox"`             // id of the outbox
	System   string `json:"system,omitempty"`   // PostgreSQL's system identifier; "" on SQLite
	Timeline string `json:"timeline,omitempty"` // PostgreSQL's timeline; "" on SQLite
}

// Version 2 has earlier batches, which a release that does not know of them would send again.
const positionVersion = 2

func (p *position) encode() ([]byte, error) {
	if p.Version = positionVersion; len(p.Earlier) == 0 {
		p.Version = 1
	}
	return json.Marshal(p)
}

func readPosition(value []byte) (*position, error) {
	p := new(position)
	if err := json.Unmarshal(value, p); err != nil {
		return nil, fmt.Errorf("read a position record: %w", err)
	}
	if p.Version < 1 || p.Version > positionVersion {
		return nil, fmt.Errorf("read a position record: it has version %d, this release reads versions 1 to %d", p.Version, positionVersion)
	}
	return p, nil
}

// strange says in what the database in hand is not the one that the position was written for, ""
// where nothing is odd. token and before are what the database keeps of takeovers.
func (p *position) strange(db database, token, before string) string {
	switch {
	case p.Database.System != db.System:
		return fmt.Sprintf("the database is another one: its system identifier is %s, and was %s when the outbox last sent", db.System, p.Database.System)
	case p.Database.Timeline != db.Timeline:
		return fmt.Sprintf("the database is on timeline %s, and was on %s when the outbox last sent: a standby was promoted or a backup restored", db.Timeline, p.Database.Timeline)
	case p.Token != token && p.Token != before:
		return "the database does not know of the latest takeover: a backup or a copy of it was put in its place, or two copies of one database are at work"
	}
	return ""
}

// digest is a hash over rows, in the order of their ids, by id and event id. Event ids are random,
// so that rows which got the ids of lost ones have another digest.
type digest struct {
	hash.Hash
	buf []byte
}

func newDigest() *digest { return &digest{Hash: sha256.New()} }

func (d *digest) add(id int64, eventID string) {
	d.buf = binary.AppendVarint(d.buf[:0], id)
	d.buf = binary.AppendUvarint(d.buf, uint64(len(eventID)))
	d.buf = append(d.buf, eventID...)
	_, _ = d.Write(d.buf)
}

func (d *digest) String() string { return hex.EncodeToString(d.Sum(nil)[:16]) }
