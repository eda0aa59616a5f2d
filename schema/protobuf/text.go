package protobuf

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat/schema"
)

// ToJSON renders a message as ProtoJSON on one line. Fields that the schema does not know are left
// out.
func (format) ToJSON(s schema.Schema, index []int, data []byte) ([]byte, error) {
	p, m, err := dynamic(s, index)
	if err != nil {
		return nil, err
	}
	if err := (proto.UnmarshalOptions{Resolver: p.types()}).Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", m.Descriptor().FullName(), err)
	}
	doc, err := protojson.MarshalOptions{Resolver: p.types()}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("render %s as JSON: %w", m.Descriptor().FullName(), err)
	}
	var line bytes.Buffer // protojson puts blanks at random, so that nobody relies on them
	if err := json.Compact(&line, doc); err != nil {
		return nil, fmt.Errorf("render %s as JSON: %w", m.Descriptor().FullName(), err)
	}
	return line.Bytes(), nil
}

// FromJSON encodes ProtoJSON.
func (format) FromJSON(s schema.Schema, index []int, doc []byte) ([]byte, error) {
	p, m, err := dynamic(s, index)
	if err != nil {
		return nil, err
	}
	if err := (protojson.UnmarshalOptions{Resolver: p.types()}).Unmarshal(doc, m); err != nil {
		return nil, fmt.Errorf("read %s from JSON: %w", m.Descriptor().FullName(), err)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Descriptor().FullName(), err)
	}
	return data, nil
}

// Untold tells of fields that the schema does not know.
func (f format) Untold(s schema.Schema, index []int, data []byte) error {
	p, m, err := dynamic(s, index)
	if err != nil {
		return err
	}
	opts := proto.UnmarshalOptions{Resolver: p.types()}
	if err := opts.Unmarshal(data, m); err != nil {
		return fmt.Errorf("decode %s: %w", m.Descriptor().FullName(), err)
	}
	doc, err := f.ToJSON(s, index, data)
	if err == nil {
		data, err = f.FromJSON(s, index, doc)
	}
	again := m.New().Interface()
	if err == nil {
		err = opts.Unmarshal(data, again)
	}
	if err == nil && !proto.Equal(m, again) {
		err = fmt.Errorf("%s holds fields that its schema does not have", m.Descriptor().FullName())
	}
	return err
}

func dynamic(s schema.Schema, index []int) (*parsed, *dynamicpb.Message, error) {
	p, err := of(s)
	if err != nil {
		return nil, nil, err
	}
	d, err := p.message(index)
	if err != nil {
		return nil, nil, err
	}
	return p, dynamicpb.NewMessage(d), nil
}
