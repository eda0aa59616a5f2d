package avro

import (
	"fmt"
	"strconv"
)

// Validate holds the defaults of fields against their types, as a registry does with schemas that
// are new to it (those that come without an id) and does not with what it keeps already. The rules
// are Java's: the default of a union may be one of any branch, that of an enum any string, and a
// record's may leave out fields that have defaults themselves.
func (s *Schema) Validate() error {
	v := validator{seen: map[*node]bool{}}
	return v.node(s.root)
}

type validator struct {
	seen map[*node]bool
	path []string
}

func (v *validator) node(n *node) error {
	if v.seen[n] {
		return nil
	}
	v.seen[n] = true
	switch n.kind {
	case kindRecord:
		return v.record(n)
	case kindArray:
		return v.in(n.elem, "items")
	case kindMap:
		return v.in(n.elem, "values")
	case kindUnion:
		for i, b := range n.branches {
			if err := v.in(b, strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *validator) in(n *node, steps ...string) error {
	v.path = append(v.path, steps...)
	err := v.node(n)
	v.path = v.path[:len(v.path)-len(steps)]
	return err
}

func (v *validator) record(n *node) error {
	for i, f := range n.fields {
		at := []string{"fields", strconv.Itoa(i)}
		if f.fallback != nil && !fits(f.fallback, f.typ, map[*value]bool{}) {
			return &Error{
				Path: pointer(append(v.path, append(at, "default")...)),
				Err:  fmt.Errorf("default for field %s: %s is not a %s", f.name, f.fallback.append(nil), javaText(f.typ, nil)),
			}
		}
		if err := v.in(f.typ, append(at, "type")...); err != nil {
			return err
		}
	}
	return nil
}

// fits tells whether a default is one of its type. inside are the fields' defaults that are looked at
// already: a record that is its own default has no end.
func fits(v *value, n *node, inside map[*value]bool) bool {
	switch n.kind {
	case kindNull:
		return v.kind == 'n'
	case kindBoolean:
		return v.kind == 't' || v.kind == 'f'
	case kindInt:
		_, ok := v.bits(32)
		return ok
	case kindLong:
		_, ok := v.bits(64)
		return ok
	case kindFloat, kindDouble:
		return v.kind == '0'
	case kindArray:
		for _, item := range v.items {
			if !fits(item, n.elem, inside) {
				return false
			}
		}
		return v.kind == '['
	case kindMap:
		for _, m := range v.members {
			if !fits(m.value, n.elem, inside) {
				return false
			}
		}
		return v.kind == '{'
	case kindUnion:
		for _, b := range n.branches {
			if fits(v, b, inside) {
				return true
			}
		}
		return false
	case kindRecord:
		return v.kind == '{' && fitsRecord(v, n, inside)
	}
	return v.kind == '"'
}

func fitsRecord(v *value, n *node, inside map[*value]bool) bool {
	for _, f := range n.fields {
		part := v.get(f.name)
		if part == nil {
			if part = f.fallback; part == nil || inside[part] {
				return false
			}
			inside[part] = true
			ok := fits(part, f.typ, inside)
			delete(inside, part)
			if !ok {
				return false
			}
			continue
		}
		if !fits(part, f.typ, inside) {
			return false
		}
	}
	return true
}
