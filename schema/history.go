package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

// OtherSubjects are the subjects, but the one that a record has now, that may hold its versions until
// now: what a topic's subjects are called changes with the number of types that it carries.
func OtherSubjects(topic, record, subject string) (others []string) {
	for _, name := range []string{topic + "-value", topic + "-" + record} {
		if topic != "" && record != "" && name != subject {
			others = append(others, name)
		}
	}
	return others
}

// TopicOf is the topic of a record's subject, "" where the subject does not say. event names the record of
// a schema that does not name it; s may be nil.
func TopicOf(subject string, s Schema, event string) string {
	if topic, ok := strings.CutSuffix(subject, "-value"); ok {
		return topic
	}
	if s == nil {
		return ""
	}
	topic, _ := cutRecord(subject, s, event)
	return topic
}

// RecordOf is the record that a subject is of: a file may hold several.
func RecordOf(subject string, s Schema) string {
	if _, record := cutRecord(subject, s, ""); record != "" {
		return record
	}
	return s.Name()
}

// cutRecord is what stands before and behind a dash in a subject, where that is a record of the schema.
func cutRecord(subject string, s Schema, event string) (topic, record string) {
	for i, c := range subject {
		if record = subject[i+1:]; c == '-' && record != "" && (Holds(s, record) || record == event && s.Name() == "") {
			return subject[:i], record
		}
	}
	return "", ""
}

// Holds says whether a schema is of the record, or of a file that has the message.
func Holds(s Schema, record string) bool {
	if s.Name() == record {
		return true
	}
	m, ok := s.(Messages)
	if !ok {
		return false
	}
	index, err := m.MessageIndex(record)
	if err != nil {
		return false
	}
	name, err := m.MessageName(index)
	return err == nil && name == record // and not the package's message of that name
}

// goesOn holds a schema that its subject is about to get to the versions that the event had under
// another name of the subject. To the registry it would be the first of its subject, and compatible
// with everything. Where the codec registers nothing, whoever does has looked at that.
func (c *Codec) goesOn(ctx context.Context, own *Contract) error {
	if !c.cfg.AutoRegister {
		return nil
	}
	for _, other := range OtherSubjects(own.Kind.Topic, cmp.Or(own.record, own.Kind.Type), own.Subject) {
		was, err := c.cfg.Registry.Version(ctx, other, -1)
		if errors.Is(err, ErrNotFound) || err == nil && c.formats[was.Type] == nil {
			continue // nothing, or nothing that this codec writes
		}
		if err != nil {
			return err
		}
		old, err := c.known.parse(ctx, was)
		if err != nil {
			return fmt.Errorf("read version %d of %s: %w", was.Version, other, err)
		}
		if !Holds(old, own.record) {
			continue
		}
		if err := c.comesAfter(ctx, own, was); err != nil {
			return fmt.Errorf("%s has the versions of this event until now, and %s goes on from there: %w; what has to break is another type beside the old one", other, own.Subject, err)
		}
	}
	return nil
}

// comesAfter judges a contract as the next version of another subject, unless its own has a later one.
func (c *Codec) comesAfter(ctx context.Context, own *Contract, was Registered) error {
	now, err := c.cfg.Registry.Version(ctx, own.Subject, -1)
	if err == nil && now.ID >= was.ID {
		return nil // a registry counts its ids up
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	references, err := own.references(ctx, c.cfg.Registry.Register, c.cfg.Normalize)
	if err != nil {
		return err
	}
	asked := Registered{Type: own.Type, Text: own.Text, References: references}
	if _, err := c.cfg.Registry.Lookup(ctx, own.Subject, asked, c.cfg.Normalize); !errors.Is(err, ErrNotFound) {
		return err // an older release is started again
	}
	return c.cfg.Registry.Judge(ctx, was.Subject, asked, c.cfg.Normalize)
}
