package redrive

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// back is the record that gives a letter's event back to the group.
func (t *trip) back(l *Letter, hold park.Hold) kafka.Raw {
	value, headers := t.Edit.event(l)
	if len(t.scene.parked) == 0 {
		says := consumer.Returned{Source: l.Source, Timestamp: l.Timestamp, Round: l.Rounds + 1}
		return kafka.Raw{
			Topic: leat.RedriveTopic(t.Topic, t.Group), Partition: l.Source.Partition, Key: l.Key, Value: value,
			Headers: append(headers, says.Header()),
		}
	}
	rec := park.Record{Kind: park.Redrive, Key: park.KeyOf(l.Key, l.Source.Offset), Offset: l.Source.Offset, Round: l.Rounds + 1}
	if hold.ID != 0 {
		rec.Kind, rec.Hold = park.Stage, hold.ID
	}
	headers = append(headers,
		leat.Header{Key: consumer.HeaderTimestamp, Value: []byte(l.Timestamp.UTC().Format(time.RFC3339Nano))}, rec.Header())
	return kafka.Raw{Topic: leat.ParkTopic(t.Topic, t.Group), Partition: l.Source.Partition, Key: l.Key, Value: value, Headers: headers}
}

// release is the record that lets a held key go on, if the hold still has as many letters as were seen.
func (j Job) release(l *Letter, hold park.Hold) kafka.Raw {
	rec := park.Record{Kind: park.Release, Key: park.KeyOf(l.Key, l.Source.Offset), Hold: hold.ID, Count: hold.Count}
	return kafka.Raw{Topic: leat.ParkTopic(j.Topic, j.Group), Partition: l.Source.Partition, Key: l.Key, Headers: []leat.Header{rec.Header()}}
}

// note is the record that says what was done with a letter.
func (j Job) note(act Act, l *Letter, round int32, edited string) (kafka.Raw, error) {
	text, err := json.Marshal(Note{
		Version: 1, Act: act, Group: l.Group, Topic: l.Source.Topic, Partition: l.Source.Partition, Offset: l.Source.Offset,
		Round: round, Edited: edited, By: j.By, Why: j.Why, At: time.Now().UTC(),
	})
	if err != nil {
		return kafka.Raw{}, fmt.Errorf("write a note: %w", err)
	}
	return kafka.Raw{
		Topic: l.At.Topic, Partition: l.At.Partition, Key: l.Key,
		Headers: []leat.Header{{Key: HeaderNote, Value: text}},
	}, nil
}
