package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat"
)

// CodecConfig says how the events of topics are encoded.
type CodecConfig struct {
	// Registry knows the schemas; nil: no topic may ask for an encoding that needs one.
	Registry Registry
	// Formats are the schema languages at hand: avro.Format, jsonschema.Format, protobuf.Format.
	Formats []Format
	// Default is the encoding of topics that name none; "": plain JSON.
	Default leat.Encoding

	// AutoRegister registers the schemas of what is written; false: they must be there, and what is
	// not is an error at start. Leave it off where deployments register.
	AutoRegister bool
	// UseLatest writes by the latest version of the subject, which the Go type must satisfy, in place
	// of the type's own schema (use.latest.version).
	UseLatest bool
	// Normalize asks the registry to compare schemas by their meaning (normalize.schemas).
	Normalize bool
	// Header names the schema in a record header by its GUID; false: by five bytes before the data,
	// which all clients read. The registry must give GUIDs (Confluent's since 8.0).
	Header bool

	// URL goes before the subject in the attribute dataschema; "": the attribute is not written.
	URL string
	// Wait is how long an event waits for its schema before it is put off; 0: 5 s.
	Wait time.Duration
}

// Codec encodes each topic's events as the topic says, and reads what others wrote: framed data by
// the schema that its frame names, whatever the topic says now, and data without a frame as plain
// JSON. Schemas are asked for once and kept.
type Codec struct {
	cfg     CodecConfig
	formats map[Type]Format
	known   known
	writers sync.Map // writerKey -> *writer
	readers sync.Map // readerKey -> Reader

	keyWriters sync.Map // topic -> *keyWriter
	plainKeys  sync.Map // Frame -> bool: keys are strings
	dynamic    []Dynamic

	learn          sync.Mutex
	dynamicWriters int // among writers
}

var (
	_ leat.MessageCodec = (*Codec)(nil)
	_ leat.KeyCodec     = (*Codec)(nil)
)

// NewCodec makes a codec; it asks the registry nothing yet.
func NewCodec(cfg CodecConfig) (*Codec, error) {
	if err := cfg.Default.Validate(); err != nil {
		return nil, fmt.Errorf("schema codec: %w", err)
	}
	if cfg.Wait < 0 {
		return nil, fmt.Errorf("schema codec: Wait is %v, want a positive duration, or 0 for 5s", cfg.Wait)
	}
	cfg.Wait = cmp.Or(cfg.Wait, 5*time.Second)
	c := &Codec{cfg: cfg, formats: map[Type]Format{}}
	for _, f := range cfg.Formats {
		c.formats[f.Type()] = f
		if d, ok := f.(Dynamic); ok {
			c.dynamic = append(c.dynamic, d)
		}
	}
	c.known.c = c
	return c, nil
}

// typeOf is the schema language of an encoding, "" for plain JSON.
func typeOf(e leat.Encoding) Type {
	switch e {
	case leat.Avro:
		return Avro
	case leat.JSONSchema:
		return JSONSchema
	case leat.Protobuf:
		return Protobuf
	}
	return ""
}

// formatOf is the format that events of the kind are written in, nil for plain JSON.
func (c *Codec) formatOf(k *leat.Kind) (Format, error) {
	e := cmp.Or(k.Encoding, c.cfg.Default)
	typ := typeOf(e)
	if typ == "" {
		return nil, nil
	}
	f := c.formats[typ]
	if f == nil {
		return nil, fmt.Errorf("topic %s is encoded as %s, and this codec has no such format", k.Topic, e)
	}
	return f, nil
}

// usable is formatOf where events are really written: by a registry.
func (c *Codec) usable(k *leat.Kind) (Format, error) {
	f, err := c.formatOf(k)
	if f != nil && c.cfg.Registry == nil {
		return nil, fmt.Errorf("topic %s is encoded as %s, which needs a schema registry: set its URL (--registry-url, LEAT_REGISTRY_URL)", k.Topic, cmp.Or(k.Encoding, c.cfg.Default))
	}
	return f, err
}

// ContentType is the media type of the data of k.
func (c *Codec) ContentType(k *leat.Kind) string {
	if f, err := c.usable(k); err == nil && f != nil {
		return f.ContentType()
	}
	return JSON.ContentType(k)
}

// Append appends the encoding of v in the prefix form.
func (c *Codec) Append(dst []byte, k *leat.Kind, v any) ([]byte, error) {
	w, err := c.writerOf(k, v)
	if err != nil {
		return dst, err
	}
	if w == nil {
		return JSON.Append(dst, k, v)
	}
	return w.append(dst, k, v)
}

// Encode sets the message's data with what names its schema.
func (c *Codec) Encode(m *leat.Message, k *leat.Kind, v any) error {
	w, err := c.writerOf(k, v)
	if err != nil {
		return err
	}
	if w == nil {
		m.ContentType = JSON.ContentType(k)
		m.Data, err = JSON.Append(m.Data, k, v)
		return err
	}
	m.ContentType, m.DataSchema = w.contentType, w.dataSchema
	if w.header == nil {
		m.Data, err = w.append(m.Data, k, v)
		return err
	}
	if m.Data, err = w.Append(m.Data, v); err != nil {
		return fmt.Errorf("encode %s as %s: %w", k.Type, w.typ, err)
	}
	m.Headers = append(m.Headers, leat.Header{Key: HeaderValueSchema, Value: w.header})
	return nil
}

// writer writes events of one kind.
type writer struct {
	Writer
	typ         Type
	id          int32
	prefix      []byte
	header      []byte // nil: the prefix form
	contentType string
	dataSchema  string
}

func (w *writer) append(dst []byte, k *leat.Kind, v any) ([]byte, error) {
	from := len(dst)
	out, err := w.Append(append(dst, w.prefix...), v)
	if err != nil {
		return dst[:from], fmt.Errorf("encode %s as %s: %w", k.Type, w.typ, err)
	}
	return out, nil
}

type writerKey struct {
	topic, typ string
	of         reflect.Type
	schema     any // of a dynamic type's values; nil elsewhere
}

// writerOf is the writer of the kind, nil for plain JSON.
func (c *Codec) writerOf(k *leat.Kind, v any) (*writer, error) {
	if cmp.Or(k.Encoding, c.cfg.Default) == "" || cmp.Or(k.Encoding, c.cfg.Default) == leat.PlainJSON {
		return nil, nil
	}
	key := writerKey{topic: k.Topic, typ: k.Type, of: cmp.Or(k.Go, reflect.TypeOf(v))}
	if w, ok := c.writers.Load(key); ok {
		return w.(*writer), nil
	}
	f, err := c.usable(k)
	if err != nil {
		return nil, err
	}
	if isDynamic(f, key.of) {
		if f, key.schema, err = f.(Dynamic).Of(v); err != nil {
			return nil, fmt.Errorf("schema of %s on topic %s: %w", k.Type, k.Topic, err)
		}
		if w, ok := c.writers.Load(key); ok {
			return w.(*writer), nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Wait)
	defer cancel()
	return c.makeWriter(ctx, f, k, key)
}

// Check reports every contract that the topics' Go types can't keep. It asks no registry.
func (c *Codec) Check(topics ...leat.Topic) error {
	return each(topics, func(k *leat.Kind) error {
		if _, err := c.usable(k); err != nil {
			return err
		}
		if _, err := c.usableKeys(k); err != nil {
			return err
		}
		_, err := c.Contract(k)
		return err
	})
}

// Prepare finds or registers the schema of everything that the topics carry, so that no event waits
// for it, but for those whose values bring their own (see [Dynamic]), and reports every contract that the registry or its Go type refuses. Its error is
// [leat.Unavailable] where the registry did not answer.
func (c *Codec) Prepare(ctx context.Context, topics ...leat.Topic) error {
	return each(topics, func(k *leat.Kind) error { return errors.Join(c.prepare(ctx, k), c.prepareKeys(ctx, k)) })
}

// each says once what is wrong with a topic, however many types it carries and however often it is named.
func each(topics []leat.Topic, do func(k *leat.Kind) error) error {
	var errs []error
	said := map[string]bool{}
	for _, t := range topics {
		kinds, err := t.Kinds()
		if err != nil {
			return err
		}
		for i := range kinds {
			if err := do(&kinds[i]); err != nil && !said[err.Error()] {
				said[err.Error()] = true
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Codec) prepare(ctx context.Context, k *leat.Kind) error {
	f, err := c.usable(k)
	if f == nil || err != nil {
		return err
	}
	if !isDynamic(f, k.Go) {
		_, err = c.makeWriter(ctx, f, k, writerKey{topic: k.Topic, typ: k.Type, of: k.Go})
		return err
	}
	own, err := c.described(f, k)
	if own != nil {
		_, err = c.registered(ctx, own.Subject, own)
	}
	if err != nil {
		return fmt.Errorf("schema of %s on topic %s: %w", k.Type, k.Topic, err)
	}
	return nil
}

func (c *Codec) makeWriter(ctx context.Context, f Format, k *leat.Kind, key writerKey) (*writer, error) {
	c.learn.Lock()
	defer c.learn.Unlock() // one kind after the other: this happens once for each
	if w, ok := c.writers.Load(key); ok {
		return w.(*writer), nil
	}
	w, err := c.newWriter(ctx, f, k, key.of)
	if err != nil {
		return nil, fmt.Errorf("schema of %s on topic %s: %w", k.Type, k.Topic, err)
	}
	if key.schema != nil {
		c.keepDynamic(key, w)
	} else {
		c.writers.Store(key, w)
	}
	return w, nil
}

func (c *Codec) newWriter(ctx context.Context, f Format, k *leat.Kind, t reflect.Type) (*writer, error) {
	own, s, err := c.contract(f, k, t)
	if err != nil {
		return nil, err
	}
	subject := own.Subject
	if err := c.goesOn(ctx, own); err != nil {
		return nil, err
	}
	got, err := c.registered(ctx, subject, own)
	if err != nil {
		return nil, err
	}
	if got.Type != f.Type() {
		return nil, fmt.Errorf("version %d of %s is of type %s, the topic wants %s", got.Version, subject, got.Type, f.Type())
	}
	if got.Text != own.Text {
		if s, err = c.known.parse(ctx, got); err != nil {
			return nil, err
		}
	}
	inner, err := f.Writer(t, s)
	if err != nil {
		return nil, fmt.Errorf("version %d of %s: %w", got.Version, subject, err)
	}
	w := &writer{Writer: inner, typ: f.Type(), id: got.ID, contentType: f.ContentType(), prefix: AppendPrefix(nil, got.ID)}
	if index := inner.Index(); index != nil {
		w.prefix = AppendIndex(w.prefix, index)
	}
	if c.cfg.Header {
		guid, err := ParseGUID(got.GUID)
		if err != nil {
			return nil, fmt.Errorf("the registry gives no GUID for version %d of %s, which the header form needs: take the prefix form (--registry-frame prefix): %w", got.Version, subject, err)
		}
		w.header = AppendHeader(nil, guid, inner.Index())
	}
	if c.cfg.URL != "" {
		w.dataSchema = strings.TrimSuffix(c.cfg.URL, "/") + "/subjects/" + url.PathEscape(subject) + "/versions/" + strconv.Itoa(got.Version)
	}
	return w, nil
}

// Contract is the schema that the Go type of a kind brings: written by hand, or derived.
type Contract struct {
	Kind    *leat.Kind
	Subject string
	Type    Type
	Text    string
	Imports []Import
	Message string // full name of the Protobuf message; "" in other languages
	record  string // full name of the record or the message, the title of a JSON Schema; "" without one
}

// Contract is the schema of the kind, nil where it is encoded as plain JSON, or where its values bring
// their schemas (see [Dynamic]) and none was written by hand. It asks no registry.
func (c *Codec) Contract(k *leat.Kind) (*Contract, error) {
	f, err := c.formatOf(k)
	if err != nil || f == nil {
		return nil, err
	}
	var own *Contract
	if isDynamic(f, k.Go) {
		own, err = c.described(f, k)
	} else {
		own, _, err = c.contract(f, k, k.Go)
	}
	if err != nil {
		return nil, fmt.Errorf("schema of %s on topic %s: %w", k.Type, k.Topic, err)
	}
	return own, nil
}

func (c *Codec) contract(f Format, k *leat.Kind, t reflect.Type) (*Contract, Schema, error) {
	own := &Contract{Kind: k, Type: f.Type(), Text: k.Schema}
	if own.Text == "" {
		var err error
		if own.Text, own.Imports, err = f.Derive(t, k.Type); err != nil {
			return nil, nil, err
		}
	}
	s, err := f.Parse(own.Text, own.Imports)
	if err != nil {
		return nil, nil, err
	}
	own.Message = f.MessageOf(t)
	own.record = cmp.Or(own.Message, s.Name())
	own.Subject = SubjectOf(k, own.record)
	return own, s, nil
}

// SubjectOf is the subject that the values of a kind are registered under. record is the full name of
// the record or the message, the title of a JSON Schema; "" without one.
func SubjectOf(k *leat.Kind, record string) string {
	name := cmp.Or(record, k.Type)
	switch k.Subjects {
	case leat.RecordName:
		return name
	case leat.TopicRecordName:
		return k.Topic + "-" + name
	}
	return k.Topic + "-value"
}

// registered finds the version of the subject to write by, as the configuration says.
func (c *Codec) registered(ctx context.Context, subject string, own *Contract) (Registered, error) {
	if c.cfg.UseLatest {
		got, err := c.cfg.Registry.Version(ctx, subject, -1)
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("%w; the latest version is written by, and there is none: register it (leat schema register)", err)
		}
		return got, err
	}
	find := c.cfg.Registry.Lookup
	if c.cfg.AutoRegister {
		find = c.cfg.Registry.Register
	}
	references, err := own.references(ctx, find, c.cfg.Normalize)
	if err != nil {
		return Registered{}, err
	}
	got, err := find(ctx, subject, Registered{Type: own.Type, Text: own.Text, References: references}, c.cfg.Normalize)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w; register it (leat schema register), or let the service do it (--registry-schemas register)", err)
	}
	return got, err
}

// Register registers the contract, and first what it imports under the imports' own names. What is
// registered already is found.
func (o *Contract) Register(ctx context.Context, at Registry, normalize bool) (Registered, error) {
	return o.settle(ctx, at.Register, normalize)
}

// Lookup finds the contract and what it imports; an error wraps [ErrNotFound] where one of them is not
// registered.
func (o *Contract) Lookup(ctx context.Context, at Registry, normalize bool) (Registered, error) {
	return o.settle(ctx, at.Lookup, normalize)
}

func (o *Contract) settle(ctx context.Context, find func(context.Context, string, Registered, bool) (Registered, error), normalize bool) (Registered, error) {
	references, err := o.references(ctx, find, normalize)
	if err != nil {
		return Registered{}, err
	}
	return find(ctx, o.Subject, Registered{Type: o.Type, Text: o.Text, References: references}, normalize)
}

// references finds or registers what the contract imports, each under its subject, which is its name
// unless it says otherwise, and returns the direct ones as they are registered.
func (o *Contract) references(ctx context.Context, find func(context.Context, string, Registered, bool) (Registered, error), normalize bool) ([]Reference, error) {
	var direct []Reference
	at := map[string]Reference{}
	for _, im := range o.Imports {
		ref := im.Reference
		if ref.Version == 0 {
			ref.Subject = cmp.Or(ref.Subject, im.Name)
			r := Registered{Type: o.Type, Text: im.Text}
			for _, uses := range im.References {
				r.References = append(r.References, cmp.Or(at[uses.Name], uses))
			}
			got, err := find(ctx, ref.Subject, r, normalize)
			if err != nil {
				return nil, fmt.Errorf("reference %s: %w", im.Name, err)
			}
			ref.Version = got.Version
		}
		at[im.Name] = ref
		if !im.Indirect {
			direct = append(direct, ref)
		}
	}
	return direct, nil
}
