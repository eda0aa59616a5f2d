package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// KeyFromText encodes a key that a person wrote, a text or the JSON of a key that is more than a string, by
// the schema that the frame names: with its prefix, or bare where header, the value of the record's header
// of the key's schema, carries the frame.
func (c *Codec) KeyFromText(ctx context.Context, frame Frame, header []byte, text string) (key []byte, err error) {
	if c.cfg.Registry == nil {
		return nil, errNoRegistry
	}
	if header != nil {
		if frame, _, _, err = ReadFrame(header, nil); err != nil {
			return nil, err
		}
	}
	got, _, err := c.known.find(ctx, frame)
	if err != nil {
		return nil, err
	}
	doc := []byte(text)
	plain, err := c.isKey(ctx, got)
	if err != nil {
		return nil, err
	}
	if plain {
		if doc, err = json.Marshal(text); err != nil {
			return nil, err
		}
		if got.Type == Protobuf {
			doc = fmt.Appendf(nil, `{"value":%s}`, doc)
		}
	}
	key, _, err = c.FromJSON(ctx, frame, header, "", doc)
	return key, err
}

// KeyBytes are the bytes of a key that a person names, as the writers of the topic have them: by the
// latest schema of its keys, or as they are where none is registered.
func (c *Codec) KeyBytes(ctx context.Context, topic, text string) ([]byte, error) {
	if c.cfg.Registry == nil {
		return []byte(text), nil
	}
	got, err := c.cfg.Registry.Version(ctx, KeySubject(topic), -1)
	if errors.Is(err, ErrNotFound) {
		return []byte(text), nil
	}
	if err != nil {
		return nil, fmt.Errorf("find how the keys of %s are written: %w", topic, err)
	}
	var header []byte
	if c.cfg.Header {
		guid, err := ParseGUID(got.GUID)
		if err != nil {
			return nil, err
		}
		header = AppendHeader(nil, guid, keyLanguages[got.Type].index)
	}
	return c.KeyFromText(ctx, Frame{ID: got.ID}, header, text)
}
