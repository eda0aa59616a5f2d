package schema_test

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

// fakeRegistry keeps schemas in memory, and answers as long as away is false.
type fakeRegistry struct {
	mu     sync.Mutex
	away   bool
	judged string // the subject that Judge was asked of last
	asked  int
	all    []schema.Registered // id is index + 1
	refuse error
}

func (f *fakeRegistry) ask(op string) error {
	f.asked++
	if f.away {
		return leat.Unavailable(errors.New(op + ": the registry is away"))
	}
	return f.refuse
}

func (f *fakeRegistry) find(match func(r schema.Registered) bool) (schema.Registered, error) {
	for i := len(f.all) - 1; i >= 0; i-- {
		if match(f.all[i]) {
			return f.all[i], nil
		}
	}
	return schema.Registered{}, schema.ErrNotFound
}

func (f *fakeRegistry) Register(_ context.Context, subject string, r schema.Registered, _ bool) (schema.Registered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask("register"); err != nil {
		return r, err
	}
	version := 1
	for _, s := range f.all {
		if s.Subject == subject && s.Text == r.Text {
			return s, nil
		}
		if s.Subject == subject {
			version++
		}
	}
	r.Subject, r.Version, r.ID = subject, version, int32(len(f.all)+1)
	r.GUID = schema.GUID(md5.Sum([]byte(r.Text))).String()
	f.all = append(f.all, r)
	return r, nil
}

func (f *fakeRegistry) Lookup(_ context.Context, subject string, r schema.Registered, _ bool) (schema.Registered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask("look up"); err != nil {
		return r, err
	}
	return f.find(func(s schema.Registered) bool { return s.Subject == subject && s.Text == r.Text })
}

// Judge refuses whatever is called broken.
func (f *fakeRegistry) Judge(_ context.Context, subject string, r schema.Registered, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.judged = subject; strings.Contains(r.Text, "Broken") {
		return fmt.Errorf("%w: it is broken", schema.ErrIncompatible)
	}
	return nil
}

func (f *fakeRegistry) Version(_ context.Context, subject string, version int) (schema.Registered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask("version"); err != nil {
		return schema.Registered{}, err
	}
	return f.find(func(s schema.Registered) bool {
		return s.Subject == subject && (version == -1 || s.Version == version)
	})
}

func (f *fakeRegistry) ByID(_ context.Context, id int32) (schema.Registered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask("by id"); err != nil {
		return schema.Registered{}, err
	}
	return f.find(func(s schema.Registered) bool { return s.ID == id })
}

func (f *fakeRegistry) ByGUID(_ context.Context, guid schema.GUID) (schema.Registered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask("by GUID"); err != nil {
		return schema.Registered{}, err
	}
	return f.find(func(s schema.Registered) bool { return s.GUID == guid.String() })
}

// fakeFormat writes JSON behind a mark. A schema is "NAME field field ...".
type fakeFormat struct{ typ schema.Type }

type fakeSchema struct {
	text string
	typ  schema.Type
}

func (s fakeSchema) Type() schema.Type  { return s.typ }
func (s fakeSchema) Canonical() string  { return s.text }
func (s fakeSchema) Normalized() string { return s.text }
func (s fakeSchema) Name() string       { name, _, _ := strings.Cut(s.text, " "); return name }

func (s fakeSchema) As(string) (string, error) { return s.text, nil }
func (f fakeFormat) Type() schema.Type         { return f.typ }
func (f fakeFormat) ContentType() string       { return "application/x-fake" }

func (f fakeFormat) index() []int                                                  { return map[bool][]int{true: {2, 1}}[f.typ == schema.Protobuf] }
func (fakeFormat) Compare(_, _ schema.Schema, _ schema.Policy) []schema.Difference { return nil }

func (f fakeFormat) Parse(text string, _ []schema.Import) (schema.Schema, error) {
	if text == "" {
		return nil, errors.New("an empty schema")
	}
	return fakeSchema{text, f.typ}, nil
}

func (f fakeFormat) Derive(t reflect.Type, name string) (string, []schema.Import, error) {
	for i := range t.NumField() {
		if t.Field(i).Type.Kind() == reflect.Chan {
			return "", nil, fmt.Errorf("%s.%s: a channel has no schema", t, t.Field(i).Name)
		}
		name += " " + t.Field(i).Name
	}
	return name, nil, nil
}

func (f fakeFormat) Writer(_ reflect.Type, s schema.Schema) (schema.Writer, error) {
	return fakeWriter{f, s}, nil
}

func (f fakeFormat) Reader(_ reflect.Type, _, writer schema.Schema, index []int) (schema.Reader, error) {
	if len(index) != len(f.index()) {
		return nil, fmt.Errorf("index %v, want %v", index, f.index())
	}
	return fakeWriter{f, writer}, nil
}

func (fakeFormat) ToJSON(_ schema.Schema, _ []int, data []byte) ([]byte, error) { return data, nil }

func (fakeFormat) MessageOf(reflect.Type) string                                  { return "" }
func (fakeFormat) FromJSON(_ schema.Schema, _ []int, data []byte) ([]byte, error) { return data, nil }

func (fakeFormat) Untold(schema.Schema, []int, []byte) error { return nil }

type fakeWriter struct {
	f fakeFormat
	s schema.Schema
}

func (w fakeWriter) Index() []int { return w.f.index() }

func (w fakeWriter) Append(dst []byte, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return append(append(dst, w.s.Canonical()+"|"...), data...), err
}

func (w fakeWriter) Decode(data []byte, v any) error {
	rest, ok := strings.CutPrefix(string(data), w.s.Canonical()+"|")
	if !ok {
		return fmt.Errorf("not written by %q", w.s.Canonical())
	}
	return json.Unmarshal([]byte(rest), v)
}

func codecOf(t *testing.T, r schema.Registry, change func(*schema.CodecConfig)) *schema.Codec {
	t.Helper()
	cfg := schema.CodecConfig{
		Registry: r, AutoRegister: true,
		Formats: []schema.Format{fakeFormat{schema.Avro}, fakeFormat{schema.Protobuf}},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := schema.NewCodec(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
