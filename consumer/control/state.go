package control

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
)

// State is what the records of a control topic add up to: the last one of each key. The zero value is
// that of an empty topic. It is not safe for concurrent use.
type State struct {
	records map[string]Record
	unknown int
	broken  int
}

// Apply takes the next record of the topic: a nil value is a tombstone. What can't be read is counted
// and passed over, and what it would have replaced stays.
func (s *State) Apply(key string, value []byte) {
	if value == nil {
		delete(s.records, key)
		return
	}
	r, err := Parse(value)
	switch {
	case errors.Is(err, ErrUnknown):
		s.unknown++
		return
	case err != nil || r.Key() != key:
		s.broken++
		return
	}
	if s.records == nil {
		s.records = map[string]Record{}
	}
	s.records[key] = r
}

// Clone is a copy that later records do not change.
func (s *State) Clone() *State {
	c := *s
	c.records = maps.Clone(s.records)
	return &c
}

// Passed is how many records were passed over: of a kind or version that this program does not know,
// and broken ones.
func (s *State) Passed() (unknown, broken int) { return s.unknown, s.broken }

// Of lists the records of a group, or of all groups where group is "", by kind and scope.
func (s *State) Of(group string) []Record {
	var all []Record
	for _, r := range s.records {
		if group == "" || r.Group == group {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Topic, b.Topic),
			cmp.Compare(a.Partition, b.Partition), strings.Compare(a.Type, b.Type), strings.Compare(a.ID, b.ID))
	})
	return all
}

// get is the record of the same kind and scope.
func (s *State) get(like Record) (Record, bool) {
	r, ok := s.records[like.Key()]
	return r, ok
}

// Paused returns the pause that covers the whole partition, the widest first.
func (s *State) Paused(group, topic string, partition int32) (Record, bool) {
	for _, scope := range []Record{
		{Partition: All},
		{Topic: topic, Partition: All},
		{Topic: topic, Partition: partition},
	} {
		scope.Kind, scope.Group = Pause, group
		if r, ok := s.get(scope); ok {
			return r, true
		}
	}
	return Record{}, false
}

// PausedType returns the pause of one handler.
func (s *State) PausedType(group, topic, typ string) (Record, bool) {
	return s.get(Record{Kind: Pause, Group: group, Topic: topic, Partition: All, Type: typ})
}

// RateOf returns the rate of one handler: its own, or that of all handlers of the topic.
func (s *State) RateOf(group, topic, typ string) (Record, bool) {
	if r, ok := s.get(Record{Kind: Rate, Group: group, Topic: topic, Partition: All, Type: typ}); ok {
		return r, true
	}
	return s.get(Record{Kind: Rate, Group: group, Topic: topic, Partition: All})
}

// Pending returns the seek of a partition that nobody has carried out yet.
func (s *State) Pending(group, topic string, partition int32) (Record, bool) {
	seek, ok := s.get(Record{Kind: Seek, Group: group, Topic: topic, Partition: partition})
	if !ok {
		return Record{}, false
	}
	if _, done := s.Answer(seek); done {
		return Record{}, false
	}
	return seek, true
}

// Answer returns what a member has said to a seek.
func (s *State) Answer(seek Record) (Record, bool) {
	r, ok := s.get(Record{Kind: Sought, Group: seek.Group, Topic: seek.Topic, Partition: seek.Partition, ID: seek.ID})
	return r, ok && r.ID == seek.ID
}

// Outdated are the answers of a partition other than to the seek with that id.
func (s *State) Outdated(seek Record) (old []Record) {
	for _, r := range s.records {
		if r.Kind == Sought && r.Group == seek.Group && r.Topic == seek.Topic && r.Partition == seek.Partition && r.ID != seek.ID {
			old = append(old, r)
		}
	}
	return old
}

// DrainedBy returns the answer of a partition to the pause, where there is one.
func (s *State) DrainedBy(pause Record, topic string, partition int32) (Record, bool) {
	r, ok := s.get(Record{Kind: Drained, Group: pause.Group, Topic: topic, Partition: partition})
	return r, ok && r.ID == pause.ID
}

// InboxOf returns what the group has told of its inbox.
func (s *State) InboxOf(group string) (Record, bool) {
	return s.get(Record{Kind: Inbox, Group: group, Partition: All})
}
