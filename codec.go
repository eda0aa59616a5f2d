package leat

import (
	"encoding/json"
	"fmt"
)

// Codec turns the data of events into bytes and back. The zero choice everywhere is [JSON].
// Implementations are safe for concurrent use.
type Codec interface {
	// ContentType is the media type of what Append writes for k, for example "application/json".
	ContentType(k *Kind) string
	// Append appends the encoding of v, an event of kind k, to dst and returns the longer slice.
	Append(dst []byte, k *Kind, v any) ([]byte, error)
	// Decode reads data, an event of kind k, into v, a pointer.
	Decode(data []byte, k *Kind, v any) error
}

// JSON is the plain JSON codec of the standard library.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) ContentType(*Kind) string { return "application/json" }

func (jsonCodec) Append(dst []byte, k *Kind, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("encode %s as JSON: %w", k.Type, err)
	}
	return append(dst, data...), nil
}

func (jsonCodec) Decode(data []byte, k *Kind, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s from JSON: %w", k.Type, err)
	}
	return nil
}
