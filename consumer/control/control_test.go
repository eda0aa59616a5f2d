package control_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

var update = flag.Bool("update", false, "write the golden file anew")

var moment = time.Date(2026, 1, 31, 12, 0, 0, 123000000, time.UTC)

// each is one record of each kind.
var each = []control.Record{
	{Kind: control.Pause, Group: "payment", Partition: control.All, ID: "p1", By: "ann@host", Why: "deploy", At: moment},
	{Kind: control.Pause, Group: "payment", Topic: "shop.orders", Partition: 2, ID: "p2", Drain: true},
	{Kind: control.Pause, Group: "payment", Topic: "shop.orders", Partition: control.All, Type: "shop.order.created.v1", ID: "p3"},
	{Kind: control.Rate, Group: "payment", Topic: "shop.orders", Partition: control.All, Type: "shop.order.created.v1", PerSecond: 2.5},
	{Kind: control.Seek, Group: "payment", Topic: "shop.orders", Partition: 0, ID: "s1", Offset: 0, Asked: "start", By: "ann@host", At: moment},
	{Kind: control.Sought, Group: "payment", Topic: "shop.orders", Partition: 0, ID: "s1", Offset: 0, From: 1041, By: "member-1"},
	{Kind: control.Drained, Group: "payment", Topic: "shop.orders", Partition: 2, ID: "p2", Offset: 17, By: "member-1"},
	{Kind: control.Inbox, Group: "a/b", Partition: control.All, Since: moment, Keep: 168 * time.Hour},
}

func TestRecordsAreTheGoldenWireForm(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, r := range each {
		r.From = wireFrom(r)
		value, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n%s\n", r.Key(), value)
		back, err := control.Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Errorf("%s comes back changed:\n%s", r.Key(), diff)
		}
	}
	path := filepath.Join("testdata", "records.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the wire form has changed: records that are in topics now must stay readable\n%s", diff)
	}
}

// wireFrom is what From is read as: only an answer to a seek has one.
func wireFrom(r control.Record) int64 {
	if r.Kind == control.Sought {
		return r.From
	}
	return -1
}

func TestWhatANewerProgramWritesIsPassedOverAndCounted(t *testing.T) {
	t.Parallel()
	var s control.State
	put(t, &s, each[0])
	key := each[0].Key()
	s.Apply(key, []byte(`{"v":2,"kind":"pause","group":"payment","id":"x"}`))
	s.Apply("payment/*/*/explode", []byte(`{"v":1,"kind":"explode","group":"payment"}`))
	s.Apply(key, []byte(`no json`))
	s.Apply("another/*/*/pause", []byte(`{"v":1,"kind":"pause","group":"payment","id":"x"}`)) // not its key
	if unknown, broken := s.Passed(); unknown != 2 || broken != 2 {
		t.Errorf("%d unknown and %d broken records, want 2 and 2", unknown, broken)
	}
	if r, ok := s.Paused("payment", "shop.orders", 0); !ok || r.ID != "p1" {
		t.Errorf("the pause that the unreadable records would have replaced is %v (%t)", r, ok)
	}
	s.Apply("payment/*/*/pause", []byte(`{"v":1,"kind":"pause","group":"payment","id":"p9","of-tomorrow":{"x":1}}`))
	if r, _ := s.Paused("payment", "shop.orders", 0); r.ID != "p9" {
		t.Errorf("a record with a field that is not known was not taken: %v", r)
	}
}

func TestPausesCoverTheirScope(t *testing.T) {
	t.Parallel()
	var s control.State
	for _, r := range each {
		put(t, &s, r)
	}
	s.Apply(each[0].Key(), nil) // the whole group goes on
	for _, c := range []struct {
		group, topic string
		partition    int32
		want         string
	}{
		{"payment", "shop.orders", 2, "p2"},
		{"payment", "shop.orders", 1, ""},
		{"payment", "shop.items", 2, ""},
		{"paymen", "shop.orders", 2, ""},
	} {
		if r, _ := s.Paused(c.group, c.topic, c.partition); r.ID != c.want {
			t.Errorf("%s on %s/%d is paused by %q, want %q", c.group, c.topic, c.partition, r.ID, c.want)
		}
	}
	if r, ok := s.PausedType("payment", "shop.orders", "shop.order.created.v1"); !ok || r.ID != "p3" {
		t.Errorf("the handler is paused by %q, want p3", r.ID)
	}
	if r, ok := s.RateOf("payment", "shop.orders", "shop.order.created.v1"); !ok || r.PerSecond != 2.5 {
		t.Errorf("the rate is %v", r)
	}
}

// TestALateAnswerNeverHidesANewerOne: a member that was asleep answers to an old seek behind the
// answer to a newer one, and compaction keeps the last record of each key.
func TestALateAnswerNeverHidesANewerOne(t *testing.T) {
	t.Parallel()
	seek := func(id string) control.Record {
		return control.Record{Kind: control.Seek, Group: "g", Topic: "t", Partition: 0, ID: id, Offset: 5}
	}
	answer := func(id string) control.Record {
		return control.Record{Kind: control.Sought, Group: "g", Topic: "t", Partition: 0, ID: id, Offset: 5, From: 9}
	}
	var s control.State
	put(t, &s, seek("old"))
	if r, ok := s.Pending("g", "t", 0); !ok || r.ID != "old" {
		t.Fatalf("pending is %v, want the seek", r)
	}
	log := []control.Record{seek("new"), answer("new"), answer("old")}
	for _, r := range log {
		put(t, &s, r)
	}
	if r, ok := s.Pending("g", "t", 0); ok {
		t.Errorf("seek %s is carried out again", r.ID)
	}
	if old := s.Outdated(seek("new")); len(old) != 1 || old[0].ID != "old" {
		t.Errorf("outdated are %v, want the answer to the old seek", old)
	}
}

func FuzzState(f *testing.F) {
	for _, r := range each {
		value, err := r.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Key(), value)
	}
	f.Add("g/t/0/seek", []byte(`{"v":1,"kind":"seek","group":"g","topic":"t","partition":0,"id":"x","offset":-1}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		var s control.State
		s.Apply(key, value)
		for _, r := range s.Of("") {
			if r.Key() != key {
				t.Errorf("record of key %q has key %q", key, r.Key())
			}
			encoded, err := r.Encode()
			if err != nil {
				t.Fatalf("a record that was read can't be written: %v", err)
			}
			back, err := control.Parse(encoded)
			if err != nil || cmp.Diff(r, back) != "" {
				t.Errorf("a record does not come back: %v\n%s", err, cmp.Diff(r, back))
			}
		}
		s.Apply(key, nil)
		if left := s.Of(""); len(left) > 0 {
			t.Errorf("a tombstone leaves %v", left)
		}
	})
}

func put(t *testing.T, s *control.State, r control.Record) {
	t.Helper()
	value, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s.Apply(r.Key(), value)
}

func TestAGroupsControlTopicHasItsPrefix(t *testing.T) {
	t.Parallel()
	topics := []string{"leat.control", "stage.leat.control", "stage.eu.leat.control", "stage.eu.orders"}
	for group, want := range map[string]string{
		"payment": "leat.control", "stage.payment": "stage.leat.control", "stage.eu.payment": "stage.eu.leat.control",
	} {
		if got := control.Find(topics, group); got != want {
			t.Errorf("group %s follows %q, want %q", group, got, want)
		}
	}
	if got := control.Find(topics[1:], "payment"); got != "" {
		t.Errorf("group payment follows %q, want none", got)
	}
}

func TestTheLogIsMadeCompactedAndRefusedOtherwise(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		client := broker.Open(t, b.Config())
		prefix := b.Name("p") + "."
		log := control.NewLog(client, prefix+control.Topic)
		if _, err := log.Read(t.Context()); !errors.Is(err, kafka.ErrNoTopic) {
			t.Fatalf("read a topic that does not exist: %v, want ErrNoTopic", err)
		}
		for range 2 {
			if err := log.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r := each[0]
		r.Group = prefix + "payment"
		if err := log.Write(t.Context(), []control.Record{r}, nil); err != nil {
			t.Fatal(err)
		}
		s, err := log.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, paused := s.Paused(r.Group, "any", 0); !paused {
			t.Error("the pause was not read back")
		}
		if err := log.Write(t.Context(), nil, []control.Record{r}); err != nil {
			t.Fatal(err)
		}
		if s, err = log.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, paused := s.Paused(r.Group, "any", 0); paused {
			t.Error("the pause was not lifted")
		}
		forgets := b.Name("other") + "." + control.Topic
		b.CreateTopic(t, forgets, 3, map[string]string{"cleanup.policy": "delete"})
		if err := control.NewLog(client, forgets).Ensure(t.Context()); !errors.Is(err, control.ErrUnfit) {
			t.Errorf("a topic that forgets is taken: %v", err)
		}
	})
}
