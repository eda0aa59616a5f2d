package schema_test

//lint:file-ignore U1000 fields that are not exported must be left out
//lint:file-ignore SA5008 odd tags must be read as encoding/json reads them

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
)

type fieldsDeep struct {
	A, B int
	Deep int `json:"deep"`
}

type fieldsMid struct {
	fieldsDeep
	B int `json:"b,omitzero"`
	C int
	X int
}

type FieldsOther struct {
	C int
	X int `json:"X"`
	Y int `json:"y"`
}

type fieldsOuter struct {
	Z      int `json:"z,string"`
	Skip   int `json:"-"`
	Dash   int `json:"-,"`
	Bad    int `json:"a\"b"`
	hidden int
	fieldsMid
	*FieldsOther
	Named FieldsOther `json:"named"`
	A     string      `json:"a,omitempty"`
}

type fieldsAgain struct {
	*fieldsAgain
	N int
}

// What Fields finds are the members that encoding/json writes, in its order.
func TestFieldsAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, v := range []any{fieldsOuter{FieldsOther: &FieldsOther{}, A: "x", fieldsMid: fieldsMid{B: 1}}, fieldsDeep{}, fieldsMid{B: 1}, fieldsAgain{}, struct{}{}} {
		doc, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(doc)))
		d.Token()
		var want []string
		for d.More() {
			name, _ := d.Token()
			want = append(want, name.(string))
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, f := range schema.Fields(reflect.TypeOf(v)) {
			got = append(got, f.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%T: %q, want %q", v, got, want)
		}
	}
	for _, f := range schema.Fields(reflect.TypeFor[fieldsOuter]()) {
		if (f.Name == "y" || f.Name == "X") != f.Indirect || (f.Name == "z") != f.Quoted || (f.Name == "a") != f.OmitEmpty || (f.Name == "b") != f.OmitZero {
			t.Errorf("%+v", f)
		}
	}
}

type docsInner struct {
	Lies int `json:"lies"`
}

type docsOuter struct {
	_      struct{} `doc:"tagged"`
	Tagged int      `json:"tagged" doc:"by hand"`
	Told   int      `json:"told"`
	Bare   int      `json:"bare"`
	docsInner
}

type docsOther struct{ docsOuter } // has the method of docsOuter

func (docsOuter) SchemaDocs() map[string]string {
	return map[string]string{"docsOuter": "no", "docsOuter.Tagged": "no", "docsOuter.Told": "by a comment", "docsInner.Lies": "no: docsInner says so itself"}
}

func (docsInner) SchemaDocs() map[string]string {
	return map[string]string{"docsInner": "of the inner", "docsInner.Lies": "deep"}
}

// A doc is the tag's, or else the comment's, of the struct that a field stands in.
func TestTagsWinOverComments(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, typ := range []reflect.Type{reflect.TypeFor[docsOuter](), reflect.TypeFor[docsInner](), reflect.TypeFor[docsOther]()} {
		got[typ.Name()], _ = schema.DocOf(typ)
		for _, f := range schema.Fields(typ) {
			got[typ.Name()+"."+f.Name], _ = f.Doc(typ)
		}
	}
	want := map[string]string{
		"docsOuter": "tagged", "docsOuter.tagged": "by hand", "docsOuter.told": "by a comment", "docsOuter.bare": "", "docsOuter.lies": "deep",
		"docsInner": "of the inner", "docsInner.lies": "deep",
		"docsOther": "", "docsOther.tagged": "by hand", "docsOther.told": "by a comment", "docsOther.bare": "", "docsOther.lies": "deep",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
