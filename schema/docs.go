package schema

import (
	"reflect"
	"strings"
)

// documented is a type whose comments were written down by "leat schema gen --comments": those of
// types by name, those of fields by type and field, "Order.Total". A method that is promoted from an
// embedded struct does no harm, because its names are those of the other type.
type documented interface{ SchemaDocs() map[string]string }

// DocOf is what a derived schema says of the struct t: the tag doc on a blank field of it, or else its
// comment.
func DocOf(t reflect.Type) (doc string, ok bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Name == "_" {
			if doc, ok = f.Tag.Lookup("doc"); ok {
				return doc, true
			}
		}
	}
	return comment(t, "")
}

// Doc is what a derived schema says of the field f of the struct t: its tag doc, or else its comment.
func (f *Field) Doc(t reflect.Type) (doc string, ok bool) {
	if doc, ok = f.Tag.Lookup("doc"); ok {
		return doc, true
	}
	for _, i := range f.Index[:len(f.Index)-1] { // to the struct that it stands in
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return comment(t, "."+f.Go)
}

func comment(t reflect.Type, field string) (string, bool) {
	d, ok := reflect.New(t).Interface().(documented)
	if !ok {
		return "", false
	}
	name, _, _ := strings.Cut(t.Name(), "[") // of type arguments
	doc, ok := d.SchemaDocs()[name+field]
	return doc, ok
}
