package schema

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Field is one field of a struct as encoding/json sees it.
type Field struct {
	Name      string // in the document
	Go        string // in the source
	Type      reflect.Type
	Index     []int // for reflect.Value.FieldByIndex
	Tag       reflect.StructTag
	OmitEmpty bool // tagged omitempty
	OmitZero  bool // tagged omitzero
	Quoted    bool // tagged string
	Indirect  bool // lies in a struct that is embedded by pointer
	tagged    bool
}

// Fields returns the fields of the struct t by the rules of encoding/json: names from json tags,
// "-" and what is not exported left out, embedded structs flattened, the field nearest to the
// surface winning its name. The order is that of the source.
func Fields(t reflect.Type) []Field {
	type level struct {
		t        reflect.Type
		index    []int
		indirect bool
	}
	var found []Field
	seen := map[reflect.Type]bool{}
	for now := []level{{t: t}}; len(now) > 0; {
		var next []level
		for _, l := range now {
			if seen[l.t] && len(l.index) > 0 {
				continue // it stands nearer to the surface already
			}
			for i := range l.t.NumField() {
				sf := l.t.Field(i)
				f, embedded, ok := fieldOf(sf)
				if !ok {
					continue
				}
				f.Index = append(slices.Clone(l.index), i)
				f.Indirect = l.indirect
				if embedded != nil {
					next = append(next, level{embedded, f.Index, l.indirect || sf.Type.Kind() == reflect.Pointer})
					continue
				}
				found = append(found, f)
			}
		}
		for _, l := range now {
			seen[l.t] = true
		}
		now = next
	}
	return dominant(found)
}

// fieldOf reads one field; embedded is the struct to flatten in its place.
func fieldOf(sf reflect.StructField) (f Field, embedded reflect.Type, ok bool) {
	under := sf.Type
	if sf.Anonymous && under.Kind() == reflect.Pointer {
		under = under.Elem()
	}
	if !sf.IsExported() && (!sf.Anonymous || under.Kind() != reflect.Struct) {
		return f, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return f, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !isName(name) {
		name = ""
	}
	if sf.Anonymous && name == "" && under.Kind() == reflect.Struct {
		return f, under, true
	}
	f = Field{Name: cmp.Or(name, sf.Name), Go: sf.Name, Type: sf.Type, Tag: sf.Tag, tagged: name != ""}
	for o := range strings.SplitSeq(options, ",") {
		f.OmitEmpty = f.OmitEmpty || o == "omitempty"
		f.OmitZero = f.OmitZero || o == "omitzero"
		f.Quoted = f.Quoted || o == "string"
	}
	return f, nil, true
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	})
}

// dominant leaves of the fields of one name the one nearest to the surface, tagged before untagged,
// and none where that does not decide.
func dominant(found []Field) []Field {
	byName := map[string][]Field{}
	for _, f := range found {
		byName[f.Name] = append(byName[f.Name], f)
	}
	var fields []Field
	for _, of := range byName {
		rank := func(a, b Field) int {
			if d := cmp.Compare(len(a.Index), len(b.Index)); d != 0 || a.tagged == b.tagged {
				return d
			}
			if a.tagged {
				return -1
			}
			return 1
		}
		slices.SortStableFunc(of, rank)
		if len(of) == 1 || rank(of[0], of[1]) != 0 {
			fields = append(fields, of[0])
		}
	}
	slices.SortFunc(fields, func(a, b Field) int { return slices.Compare(a.Index, b.Index) })
	return fields
}
