package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Text is framed data as people read it.
type Text struct {
	Frame  Frame
	Type   Type
	Name   string // of the record or the message
	JSON   []byte
	Header bool // the frame stood in a record header
}

// ToJSON renders a record's framed data: header is the value of its schema header, nil where there
// is none. ok is false where the data is not framed.
func (c *Codec) ToJSON(ctx context.Context, header, data []byte) (t Text, ok bool, err error) {
	if !IsFramed(header, data) || c.cfg.Registry == nil {
		return t, false, nil
	}
	frame, head, body, err := ReadFrame(header, data)
	if err != nil {
		return t, true, err
	}
	got, s, err := c.known.find(ctx, frame)
	if err != nil {
		return t, true, err
	}
	var index []int
	if got.Type == Protobuf {
		if index, body, err = messageIndex(head, body); err != nil {
			return t, true, err
		}
	}
	t = Text{Frame: frame, Type: got.Type, Name: s.Name(), Header: frame.Header}
	if files, ok := s.(Messages); ok {
		if t.Name, err = files.MessageName(index); err != nil {
			return t, true, fmt.Errorf("read the data by %v: %w", frame, err)
		}
	}
	if t.JSON, err = c.formats[got.Type].ToJSON(s, index, body); err != nil {
		return t, true, fmt.Errorf("read the data by %v: %w", frame, err)
	}
	return t, true, nil
}

// Latest is the frame, in the prefix form, of a version of the subject; -1: the latest.
func (c *Codec) Latest(ctx context.Context, subject string, version int) (Frame, error) {
	if c.cfg.Registry == nil {
		return Frame{}, errNoRegistry
	}
	got, err := c.cfg.Registry.Version(ctx, subject, version)
	return Frame{ID: got.ID}, err
}

var errNoRegistry = errors.New("encoding by a schema needs the registry: set its URL (--registry, LEAT_REGISTRY_URL)")

// FromJSON encodes what a person wrote by the schema that the frame names: with its prefix, or bare
// where header, the value of the record's schema header, carries the frame. message is the Protobuf
// message by its name; "": the one that the header names, without a header the file's first.
func (c *Codec) FromJSON(ctx context.Context, frame Frame, header []byte, message string, doc []byte) (data []byte, contentType string, err error) {
	if c.cfg.Registry == nil {
		return nil, "", errNoRegistry
	}
	head := []byte(nil)
	if header != nil {
		if frame, head, _, err = ReadFrame(header, nil); err != nil {
			return nil, "", err
		}
	}
	got, s, err := c.known.find(ctx, frame)
	if err != nil {
		return nil, "", err
	}
	index, err := place(s, frame, head, message)
	if err != nil {
		return nil, "", err
	}
	f := c.formats[got.Type]
	data, err = fromJSON(f, frame, s, index, doc)
	return data, f.ContentType(), err
}

// Rewrite is what data becomes that ToJSON has told as JSON and a person has changed to doc: by the same
// schema, message and frame. An error wraps [ErrUntold] where JSON does not tell all of the data.
func (c *Codec) Rewrite(ctx context.Context, header, data, doc []byte) ([]byte, error) {
	if c.cfg.Registry == nil {
		return nil, errNoRegistry
	}
	frame, head, body, err := ReadFrame(header, data)
	if err != nil {
		return nil, err
	}
	got, s, err := c.known.find(ctx, frame)
	if err != nil {
		return nil, err
	}
	var index []int
	if got.Type == Protobuf {
		if index, body, err = messageIndex(head, body); err != nil {
			return nil, err
		}
	}
	f := c.formats[got.Type]
	if err := f.Untold(s, index, body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntold, err)
	}
	return fromJSON(f, frame, s, index, doc)
}

// ErrUntold says that data holds what its JSON does not, so that it would be lost on the way back.
var ErrUntold = errors.New("its JSON does not tell all of it")

func fromJSON(f Format, frame Frame, s Schema, index []int, doc []byte) ([]byte, error) {
	body, err := f.FromJSON(s, index, doc)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the data is not of %v: %w", frame, err)
	case frame.Header:
		return body, nil
	}
	data := AppendPrefix(nil, frame.ID)
	if index != nil {
		data = AppendIndex(data, index)
	}
	return append(data, body...), nil
}

// place is where the message that a person means is in its file, nil where there is no file. head is what
// a record's schema header says of it.
func place(s Schema, frame Frame, head []byte, message string) (index []int, err error) {
	files, ok := s.(Messages)
	switch {
	case !ok && message != "":
		return nil, fmt.Errorf("a schema of type %s has no messages: leave %q out", s.Type(), message)
	case !ok:
		return nil, nil
	case !frame.Header && message == "":
		return firstMessage, nil
	case !frame.Header:
		return files.MessageIndex(message)
	}
	if index, _, err = SplitIndex(head); err != nil || message == "" {
		return index, err
	}
	if other, err := files.MessageIndex(message); err != nil || !slices.Equal(index, other) {
		return nil, errors.Join(err, fmt.Errorf("the header %s does not name message %s: leave one of the two out", HeaderValueSchema, message))
	}
	return index, nil
}
