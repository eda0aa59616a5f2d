package redrive_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

func TestAPayloadIsPatchedOrRefused(t *testing.T) {
	t.Parallel()
	const old = `{"n":9007199254740993,"price":1.10,"x":"<&>","drop":1}`
	for name, tt := range map[string]struct{ value, patch, want string }{
		"merge":       {old, ` {"drop":null,"y":{"z":1}}`, `{"n":9007199254740993,"price":1.10,"x":"\u003c\u0026\u003e","y":{"z":1}}`},
		"patch":       {old, `[{"op":"test","path":"/x","value":"<&>"},{"op":"remove","path":"/drop"}]`, `{"n":9007199254740993,"price":1.10,"x":"\u003c\u0026\u003e"}`},
		"test fails":  {old, `[{"op":"test","path":"/x","value":1}]`, ""},
		"no path":     {old, `[{"op":"remove","path":"/none"}]`, ""},
		"not a patch": {old, `7`, ""},
		"not json":    {old, `{"a":`, ""},
		"empty":       {old, ``, ""},
	} {
		l := redrive.Letter{Value: []byte(tt.value)}
		edit, err := l.Edit([]byte(tt.patch))
		if got := string(edit.Value); got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: payload is %s (%v), want %s", name, got, err, tt.want)
		}
	}
	for name, l := range map[string]redrive.Letter{
		"not JSON":  {Value: []byte("\x00\x00{}")},
		"tombstone": {},
		"elsewhere": {Value: []byte("{}"), Headers: []leat.Header{{Key: "ce_dataref", Value: []byte("a")}}},
	} {
		if _, err := l.Edit([]byte(`{}`)); !errors.Is(err, redrive.ErrUneditable) {
			t.Errorf("%s: got %v, want ErrUneditable", name, err)
		}
	}
}

func TestAnEditedLetterGoesBackAndSaysSo(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, leat.Parking{Tiers: []time.Duration{}})
		r.letters(t, 3)
		r.effects(t, 3, 4)
		edited := func(n int64) (*redrive.Letter, redrive.Job) {
			story, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
			if err != nil {
				t.Fatal(err)
			}
			j := r.job(redrive.Redriven)
			for _, l := range story.Letters() {
				if l.Source.Offset == n {
					j.Filter.Source = &l.Source
					return l, j
				}
			}
			t.Fatalf("no letter of offset %d", n)
			return nil, j
		}
		letter, j := edited(1)
		edit, err := letter.Edit([]byte(`{"N":7}`))
		if err != nil {
			t.Fatal(err)
		}
		j.Edit = &edit
		if n, err := j.Run(t.Context()); n != 1 || err != nil {
			t.Fatalf("redriven %d letters (%v), want 1", n, err)
		}
		r.effects(t, 3, 4, 7)
		r.letters(t, 2)
		if _, err := j.Run(t.Context()); !errors.Is(err, redrive.ErrChanged) {
			t.Errorf("again: got %v, want ErrChanged", err)
		}
		if after, _ := edited(1); string(after.Value) != string(letter.Value) || len(after.Notes) != 1 || !strings.HasPrefix(after.Notes[0].Edited, "sha256:") {
			t.Errorf("the letter is %q with notes %+v, want it as it was and one note with a digest", after.Value, after.Notes)
		}
		if got := headerOf(t, r.client, leat.ParkTopic(r.topic.Name, r.group), redrive.HeaderEdited); got != letter.At.String() {
			t.Errorf("%s is %q, want %s", redrive.HeaderEdited, got, letter.At)
		}
	})
}

// headerOf is the last value of a header in partition 0.
func headerOf(t *testing.T, client *kafka.Client, topic, name string) (value string) {
	t.Helper()
	err := client.ReadPartition(context.Background(), topic, 0, 0, func(w leat.Wire) error {
		for k, v := range w.Headers() {
			if k == name {
				value = string(v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}
