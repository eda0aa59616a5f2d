package schema

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/leatdev/leat"
)

// keyLanguage is how a schema language writes a key, which is a text.
type keyLanguage struct {
	schema string
	index  []int // of the Protobuf message
	append func(dst, key []byte) ([]byte, error)
	read   func(body []byte) (string, error)
}

var keyLanguages = map[Type]keyLanguage{
	Avro: {
		schema: `"string"`,
		append: func(dst, key []byte) ([]byte, error) {
			return append(binary.AppendVarint(dst, int64(len(key))), key...), nil
		},
		read: func(body []byte) (string, error) { return sized(binary.Varint(body))(body) },
	},
	JSONSchema: {
		schema: `{"type":"string"}`,
		append: func(dst, key []byte) ([]byte, error) {
			text, err := json.Marshal(string(key))
			return append(dst, text...), err
		},
		read: func(body []byte) (key string, err error) { return key, json.Unmarshal(body, &key) },
	},
	Protobuf: {
		schema: "syntax = \"proto3\";\n\npackage leat;\n\nmessage Key {\n  string value = 1;\n}\n",
		index:  firstMessage,
		append: func(dst, key []byte) ([]byte, error) {
			return append(binary.AppendUvarint(append(dst, protoString), uint64(len(key))), key...), nil
		},
		read: func(body []byte) (string, error) {
			if len(body) == 0 {
				return "", nil
			}
			if body[0] != protoString {
				return "", errKey
			}
			n, size := binary.Uvarint(body[1:])
			return sized(int64(min(n, 1<<62)), size)(body[1:])
		},
	},
}

// protoString is the tag of field 1 as a string.
const protoString = 1<<3 | 2

var errKey = errors.New("the key is no string of its schema")

// sized cuts a text of n bytes that begins after its length, which took size bytes, and ends the key.
func sized(n int64, size int) func([]byte) (string, error) {
	return func(body []byte) (string, error) {
		if size <= 0 || n < 0 || int64(len(body)-size) != n {
			return "", errKey
		}
		return string(body[size:]), nil
	}
}

// KeySubject is where the schema of a topic's keys is registered.
func KeySubject(topic string) string { return topic + "-key" }

// KeyContract is the schema of the keys of a kind's topic, nil where they are texts. It asks no registry.
func (c *Codec) KeyContract(k *leat.Kind) (*Contract, error) {
	typ := typeOf(k.KeyEncoding)
	if typ == "" {
		return nil, nil
	}
	if c.formats[typ] == nil {
		return nil, fmt.Errorf("the keys of topic %s are encoded as %s, and this codec has no such format", k.Topic, k.KeyEncoding)
	}
	return &Contract{Kind: k, Subject: KeySubject(k.Topic), Type: typ, Text: keyLanguages[typ].schema}, nil
}

func (c *Codec) usableKeys(k *leat.Kind) (*Contract, error) {
	own, err := c.KeyContract(k)
	if own != nil && c.cfg.Registry == nil {
		return nil, fmt.Errorf("the keys of topic %s are encoded as %s, which needs a schema registry: set its URL (--registry-url, LEAT_REGISTRY_URL)", k.Topic, k.KeyEncoding)
	}
	return own, err
}

// keyWriter writes the keys of one topic.
type keyWriter struct {
	keyLanguage
	prefix []byte // empty in the header form
	header []byte
}

// EncodeKey implements [leat.KeyCodec].
func (c *Codec) EncodeKey(m *leat.Message, k *leat.Kind) error {
	if k.KeyEncoding == "" || m.Key == nil {
		return nil
	}
	w, ok := c.keyWriters.Load(k.Topic)
	if !ok {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Wait)
		defer cancel()
		var err error
		if w, err = c.makeKeyWriter(ctx, k); err != nil {
			return err
		}
	}
	return w.(*keyWriter).write(m)
}

func (w *keyWriter) write(m *leat.Message) (err error) {
	if !utf8.Valid(m.Key) {
		return fmt.Errorf("encode the key of %s: it is no UTF-8 text", m.Type)
	}
	room := make([]byte, len(w.prefix), len(w.prefix)+binary.MaxVarintLen64+len(m.Key))
	copy(room, w.prefix)
	if m.Key, err = w.append(room, m.Key); err != nil {
		return fmt.Errorf("encode the key of %s: %w", m.Type, err)
	}
	if w.header != nil {
		m.Headers = append(m.Headers, leat.Header{Key: HeaderKeySchema, Value: w.header})
	}
	return nil
}

func (c *Codec) prepareKeys(ctx context.Context, k *leat.Kind) error {
	if k.KeyEncoding == "" {
		return nil
	}
	_, err := c.makeKeyWriter(ctx, k)
	return err
}

func (c *Codec) makeKeyWriter(ctx context.Context, k *leat.Kind) (any, error) {
	c.learn.Lock()
	defer c.learn.Unlock()
	if w, ok := c.keyWriters.Load(k.Topic); ok {
		return w, nil
	}
	own, err := c.usableKeys(k)
	if err != nil {
		return nil, err
	}
	w, err := c.newKeyWriter(ctx, own)
	if err != nil {
		return nil, fmt.Errorf("schema of the keys of topic %s: %w", k.Topic, err)
	}
	c.keyWriters.Store(k.Topic, w)
	return w, nil
}

func (c *Codec) newKeyWriter(ctx context.Context, own *Contract) (*keyWriter, error) {
	got, err := c.registered(ctx, own.Subject, own)
	if err != nil {
		return nil, err
	}
	if fits, err := c.isKey(ctx, got); err != nil || !fits || got.Type != own.Type {
		return nil, errors.Join(fmt.Errorf("version %d of %s is not %s: keys are strings", got.Version, own.Subject, own.Text), err)
	}
	w := &keyWriter{keyLanguage: keyLanguages[own.Type]}
	if c.cfg.Header {
		guid, err := ParseGUID(got.GUID)
		if err != nil {
			return nil, fmt.Errorf("the registry gives no GUID for version %d of %s, which the header form needs: take the prefix form (--registry-frame prefix): %w", got.Version, own.Subject, err)
		}
		w.header = AppendHeader(nil, guid, w.index)
		return w, nil
	}
	w.prefix = AppendPrefix(nil, got.ID)
	if w.index != nil {
		w.prefix = AppendIndex(w.prefix, w.index)
	}
	return w, nil
}

// isKey says whether a registered schema is what leat writes keys by.
func (c *Codec) isKey(ctx context.Context, r Registered) (bool, error) {
	if r.Text == keyLanguages[r.Type].schema {
		return true, nil
	}
	s, err := c.known.parse(ctx, r)
	if err != nil {
		return false, err
	}
	own, err := c.formats[r.Type].Parse(keyLanguages[r.Type].schema, nil)
	return err == nil && own.Canonical() == s.Canonical(), err
}

// DecodeKey implements [leat.KeyCodec]: a key without a frame is a text, one that is more than a string
// is told as JSON.
func (c *Codec) DecodeKey(w leat.Wire) (string, error) {
	header, data := w.Header(HeaderKeySchema), w.Key()
	if c.cfg.Registry == nil && IsFramed(header, data) {
		return "", errors.New("the key is encoded by a schema, and there is no schema registry: set its URL (--registry-url, LEAT_REGISTRY_URL)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Wait)
	defer cancel()
	key, _, err := c.KeyText(ctx, header, data)
	return key, err
}

// KeyText is DecodeKey of a record's bytes: header is the value of its header of the key's schema, nil
// where there is none. framed is false where the key is a text already, or there is no registry.
func (c *Codec) KeyText(ctx context.Context, header, key []byte) (text string, framed bool, err error) {
	if !IsFramed(header, key) || c.cfg.Registry == nil {
		return string(key), false, nil
	}
	frame, head, body, err := ReadFrame(header, key)
	if err != nil {
		return "", true, fmt.Errorf("read the key: %w", err)
	}
	if text, err = c.keyText(ctx, frame, head, body); err != nil {
		return "", true, fmt.Errorf("read the key by %v: %w", frame, err)
	}
	return text, true, nil
}

func (c *Codec) keyText(ctx context.Context, frame Frame, head, body []byte) (string, error) {
	got, s, err := c.known.find(ctx, frame)
	if err != nil {
		return "", err
	}
	var index []int
	if got.Type == Protobuf {
		if index, body, err = messageIndex(head, body); err != nil {
			return "", err
		}
	}
	plain, ok := c.plainKeys.Load(frame)
	if !ok {
		if plain, err = c.isKey(ctx, got); err != nil {
			return "", err
		}
		c.plainKeys.Store(frame, plain)
	}
	if plain.(bool) {
		return keyLanguages[got.Type].read(body)
	}
	doc, err := c.formats[got.Type].ToJSON(s, index, body)
	if err != nil {
		return "", err
	}
	var text string
	if json.Unmarshal(doc, &text) == nil {
		return text, nil
	}
	return string(doc), nil
}
