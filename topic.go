package leat

import (
	"errors"
	"fmt"
	"reflect"
)

// Topic declares a Kafka topic: the events of one aggregate type, and what the topic wants of its
// cluster. It is a plain value, shared by the owner and the readers.
type Topic struct {
	Name    string // required; letters, digits, '.', '_', '-', at most 200 bytes
	Carries []any  // zero values of the event types, or KindOf(...) for types without methods

	// Foreign is the type (as in Carries) that records without a ce_type are read as; nil: such
	// records are no events, and go to the dead letters.
	Foreign any

	Encoding Encoding // how the events are written; "": as the service's config says, or plain JSON
	// KeyEncoding is how the keys are written: Avro, JSONSchema or Protobuf, each as a string, registered
	// as {topic}-key; "": as text. The bytes decide the partition, so that a change of it on a topic in use
	// sends keys to other partitions, and loses their order once.
	KeyEncoding Encoding
	Subjects    SubjectNames // where their schemas are registered; "": see SubjectNames
	Upcasts     []Upcast     // from older event types to those that took their place

	Partitions  int               // wanted by the owner; 0: 6
	Replication int               // wanted by the owner; 0: the broker's default
	Config      map[string]string // topic configuration the owner wants; nil: the broker's defaults
}

// DefaultPartitions is what a topic gets whose declaration does not say.
const DefaultPartitions = 6

// MaxTopicName is the longest topic name that leat takes, in bytes: Kafka allows 249, and the dead
// letter and parking topics add the group's name.
const MaxTopicName = 200

// Validate reports all that is wrong with the declaration.
func (t Topic) Validate() error {
	errs := []error{ValidTopicName(t.Name)}
	if len(t.Name) > MaxTopicName {
		errs = append(errs, fmt.Errorf("topic name %q is longer than %d bytes", t.Name, MaxTopicName))
	}
	if t.Partitions < 0 || t.Replication < 0 {
		errs = append(errs, fmt.Errorf("topic %s: Partitions and Replication can't be negative", t.Name))
	}
	for _, err := range []error{t.Encoding.Validate(), validKeys(t.KeyEncoding), t.Subjects.Validate()} {
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", t.Name, err))
		}
	}
	if _, err := t.Kinds(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func validKeys(e Encoding) error {
	if e == PlainJSON {
		return errors.New("KeyEncoding can't be plain JSON: leave it empty, and keys are texts")
	}
	if err := e.Validate(); err != nil {
		return fmt.Errorf("KeyEncoding: %w", err)
	}
	return nil
}

// Kinds returns the contracts that the topic carries, Foreign last where it is not in Carries.
func (t Topic) Kinds() ([]Kind, error) {
	var kinds []Kind
	var errs []error
	seen := map[string]reflect.Type{}
	add := func(entry any, foreign bool) {
		k, err := kindOf(entry)
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", t.Name, err))
			return
		}
		k.Topic, k.Encoding, k.KeyEncoding, k.Subjects = t.Name, t.Encoding, t.KeyEncoding, t.Subjects
		if was, dup := seen[k.Type]; dup {
			if !foreign || was != k.Go {
				errs = append(errs, fmt.Errorf("topic %s: %s is listed twice (%v and %v)", t.Name, k.Type, was, k.Go))
			}
			return
		}
		seen[k.Type] = k.Go
		kinds = append(kinds, k)
	}
	for _, entry := range t.Carries {
		add(entry, false)
	}
	if t.Foreign != nil {
		add(t.Foreign, true)
	}
	if t.Subjects == "" {
		strategy := TopicName
		if len(kinds) > 1 {
			strategy = TopicRecordName
		}
		for i := range kinds {
			kinds[i].Subjects = strategy
		}
	}
	if err := attach(kinds, t.Upcasts); err != nil {
		errs = append(errs, fmt.Errorf("topic %s: %w", t.Name, err))
	}
	return kinds, errors.Join(errs...)
}

// ForeignType is the event type that records without a ce_type are read as, or "".
func (t Topic) ForeignType() string {
	if t.Foreign == nil {
		return ""
	}
	k, err := kindOf(t.Foreign)
	if err != nil {
		return ""
	}
	return k.Type
}

// DeadLetters is the name of the topic that takes what group can't handle of topic.
func DeadLetters(topic, group string) string { return topic + "." + group + ".dlq" }

// ValidTopicName says whether Kafka takes the name.
func ValidTopicName(name string) error {
	switch {
	case name == "":
		return errors.New("topic name is empty")
	case name == "." || name == "..":
		return fmt.Errorf("topic name %q is not allowed by Kafka", name)
	case len(name) > 249:
		return fmt.Errorf("topic name %q is longer than Kafka's 249 bytes", name)
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("topic name %q has %q: Kafka takes letters, digits, '.', '_' and '-'", name, c)
		}
	}
	return nil
}
