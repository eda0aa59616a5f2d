package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Topic is the name of the control topic, before which a host puts its prefix.
const Topic = "leat.control"

// Kind says what a record is.
type Kind string

// The kinds. Commands are written by people's tools, answers by the members of the group.
const (
	Pause   Kind = "pause"   // command: nothing new starts within the record's scope
	Rate    Kind = "rate"    // command: another rate limit for handlers
	Seek    Kind = "seek"    // command: go on from Offset, once
	Sought  Kind = "sought"  // answer: the seek with that ID was carried out
	Drained Kind = "drained" // answer: nothing of the partition was in hand under the pause with that ID
	Inbox   Kind = "inbox"   // answer: how far back the group's inbox knows what it has handled
)

// All is the Partition of a record that is about every partition.
const All int32 = -1

// Record is one entry of the control topic. What it is about, its scope, is a group, narrowed down by
// Topic, Partition and Type.
type Record struct {
	Kind      Kind
	Group     string
	Topic     string // "": every topic of the group
	Partition int32  // All: every partition of Topic
	Type      string // event type of a handler; "": every one
	ID        string // of a seek or a pause; answers repeat it

	Drain  bool  // of Pause: the owners of partitions answer when nothing is in hand
	Offset int64 // of Seek: where to; of Sought: where to; of Drained: what the group has committed, -1 where it has not
	From   int64 // of Sought: what the group had committed before, -1 where it had not

	PerSecond float64 // of Rate: events per second and member

	Since time.Time     // of Inbox: time of the oldest row found in it, zero where it has none
	Keep  time.Duration // of Inbox: how long it keeps rows; negative: for ever

	Asked string    // of Seek: the place in the words of who asked, for example "-1h"
	By    string    // who wrote the record: user@host, or the member
	Why   string    // in the words of who asked
	At    time.Time // when it was written
}

// wire is the JSON form of a Record: version 1. Fields are only ever added, and readers pass over
// those that they don't know.
type wire struct {
	Version   int        `json:"v"`
	Kind      Kind       `json:"kind"`
	Group     string     `json:"group"`
	Topic     string     `json:"topic,omitempty"`
	Partition *int32     `json:"partition,omitempty"`
	Type      string     `json:"type,omitempty"`
	ID        string     `json:"id,omitempty"`
	Drain     bool       `json:"drain,omitempty"`
	Offset    *int64     `json:"offset,omitempty"`
	From      *int64     `json:"from,omitempty"`
	PerSecond *float64   `json:"per_second,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Keep      string     `json:"keep,omitempty"`
	Asked     string     `json:"asked,omitempty"`
	By        string     `json:"by,omitempty"`
	Why       string     `json:"why,omitempty"`
	At        *time.Time `json:"at,omitempty"`
}

// version is the wire form that this code writes; it reads no later one.
const version = 1

// ErrUnknown says that a record is of a later version, or of a kind that this program does not know:
// it is passed over.
var ErrUnknown = errors.New("a control record of a kind that this program does not know")

// Parse reads the value of a record.
func Parse(value []byte) (Record, error) {
	var w wire
	if err := json.Unmarshal(value, &w); err != nil {
		return Record{}, fmt.Errorf("read control record: %w", err)
	}
	if w.Version != version {
		return Record{}, fmt.Errorf("%w: version %d", ErrUnknown, w.Version)
	}
	r := Record{
		Kind: w.Kind, Group: w.Group, Topic: w.Topic, Partition: All, Type: w.Type, ID: w.ID,
		Drain: w.Drain, From: -1, Asked: w.Asked, By: w.By, Why: w.Why,
	}
	if w.Partition != nil {
		r.Partition = *w.Partition
	}
	if w.Offset != nil {
		r.Offset = *w.Offset
	}
	if w.From != nil {
		r.From = *w.From
	}
	if w.PerSecond != nil {
		r.PerSecond = *w.PerSecond
	}
	if w.Since != nil {
		r.Since = w.Since.UTC()
	}
	if w.At != nil {
		r.At = w.At.UTC()
	}
	if w.Keep != "" {
		keep, err := time.ParseDuration(w.Keep)
		if err != nil {
			return Record{}, fmt.Errorf("read control record: %w", err)
		}
		r.Keep = keep
	}
	return r, r.Validate()
}

// Encode is the value of the record.
func (r Record) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	w := wire{
		Version: version, Kind: r.Kind, Group: r.Group, Topic: r.Topic, Type: r.Type, ID: r.ID,
		Drain: r.Drain, Asked: r.Asked, By: r.By, Why: r.Why,
	}
	if r.Partition != All {
		w.Partition = &r.Partition
	}
	switch r.Kind {
	case Sought:
		w.Offset, w.From = &r.Offset, &r.From
	case Seek, Drained:
		w.Offset = &r.Offset
	case Rate:
		w.PerSecond = &r.PerSecond
	case Inbox:
		w.Keep = r.Keep.String()
	}
	if !r.Since.IsZero() {
		w.Since = new(r.Since.UTC())
	}
	if !r.At.IsZero() {
		w.At = new(r.At.UTC())
	}
	return json.Marshal(w)
}

// Validate says what keeps the record from meaning something.
func (r Record) Validate() error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("control record %q: %s", string(r.Kind), fmt.Sprintf(format, args...))
	}
	switch {
	case r.Group == "":
		return fault("it names no group")
	case r.Partition < All:
		return fault("partition %d", r.Partition)
	case r.Partition != All && r.Topic == "":
		return fault("it names a partition and no topic")
	}
	one := r.Topic != "" && r.Partition != All && r.Type == ""
	switch r.Kind {
	case Pause:
		if r.ID == "" || r.Type != "" && (r.Partition != All || r.Topic == "" || r.Drain) {
			return fault("it wants an ID, and a type has a topic, no partition and no drain")
		}
	case Drained:
		if !one || r.ID == "" || r.Offset < -1 {
			return fault("it wants an ID, one partition and an offset, -1 where there is none")
		}
	case Seek, Sought:
		if !one || r.ID == "" || r.Offset < 0 {
			return fault("it wants an ID, one partition and an offset of 0 or more")
		}
	case Rate:
		if r.Topic == "" || r.Partition != All || !(r.PerSecond > 0) || r.PerSecond > 1e9 {
			return fault("it wants a topic and a rate above 0")
		}
	case Inbox:
		if r.Topic != "" || r.Type != "" {
			return fault("it is about the whole group")
		}
	default:
		return fmt.Errorf("%w: %q", ErrUnknown, string(r.Kind))
	}
	return nil
}

// Key is the record's key in the topic: a record replaces the earlier one of its key, and a tombstone
// lifts it. Answers to a seek have its ID in their key, so that a late one of an old seek never
// replaces that of a newer one.
func (r Record) Key() string {
	topic, partition := "*", "*"
	if r.Topic != "" {
		topic = r.Topic
	}
	if r.Partition != All {
		partition = strconv.Itoa(int(r.Partition))
	}
	key := url.PathEscape(r.Group) + "/" + topic + "/" + partition + "/" + string(r.Kind)
	switch {
	case r.Kind == Sought:
		key += "/" + url.PathEscape(r.ID)
	case r.Type != "":
		key += "/" + url.PathEscape(r.Type)
	}
	return key
}

// Covers says whether the record's scope takes in the partition.
func (r Record) Covers(topic string, partition int32) bool {
	return (r.Topic == "" || r.Topic == topic) && (r.Partition == All || r.Partition == partition)
}

// Scope is what the record is about, for people: payment, payment on shop.orders/2, ...
func (r Record) Scope() string {
	s := r.Group
	if r.Topic != "" {
		s += " on " + r.Topic
	}
	if r.Partition != All {
		s += "/" + strconv.Itoa(int(r.Partition))
	}
	if r.Type != "" {
		s += ", handler of " + r.Type
	}
	return s
}
