package jsonschema

import (
	"errors"
	"fmt"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// explain names the place of what the compiler refused, and what to do about it.
func explain(err error, root *node) error {
	if e, ok := errors.AsType[*validator.SchemaValidationError](err); ok {
		if v, ok := errors.AsType[*validator.ValidationError](e.Err); ok {
			leaf := deepest(v)
			if f, ok := leaf.ErrorKind.(*kind.Format); ok && f.Want == "regex" {
				return noRE2(within(e.URL)+pointer(leaf.InstanceLocation), fmt.Sprint(f.Got), f.Err)
			}
			return fmt.Errorf("at %s%s: %s", within(e.URL), pointer(leaf.InstanceLocation), reason(leaf))
		}
	}
	if e, ok := errors.AsType[*validator.InvalidRegexError](err); ok {
		return noRE2(within(e.URL), e.Regex, e.Err)
	}
	if e, ok := errors.AsType[*validator.LoadURLError](err); ok {
		return fmt.Errorf("at %s: a $ref leads to %s: %w", root.placeOf(base(home, root), e.URL, "#"), strings.TrimPrefix(e.URL, home), e.Err)
	}
	return fmt.Errorf("at #: %w", err)
}

func noRE2(at, pattern string, err error) error {
	return fmt.Errorf("at %s: the pattern %q is no RE2 expression: %w (look-around and back references can take for ever and are not supported)", at, pattern, err)
}

// placeOf finds the $ref that leads to a text.
func (n *node) placeOf(from, at, here string) string {
	for _, m := range n.members {
		if m.name == "$ref" && m.value.kind == '"' && resolve(from, m.value.text) == at {
			return here + "/$ref"
		}
		if found := m.value.placeOf(from, at, here+"/"+escape(m.name)); found != "#" {
			return found
		}
	}
	for i, item := range n.items {
		if found := item.placeOf(from, at, fmt.Sprintf("%s/%d", here, i)); found != "#" {
			return found
		}
	}
	return "#"
}

// deepest is the first cause that has none of its own.
func deepest(e *validator.ValidationError) *validator.ValidationError {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	return e
}

// reason is what is wrong, without the place.
func reason(e *validator.ValidationError) string {
	if out := e.BasicOutput(); out.Error != nil {
		return out.Error.String()
	}
	return e.Error()
}

// within is a place in its own text; another text is named.
func within(at string) string {
	text, pointer, _ := strings.Cut(at, "#")
	if text == home+"schema.json" {
		return "#" + pointer
	}
	return strings.TrimPrefix(text, home) + "#" + pointer
}

// pointer joins the parts of a place.
func pointer(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(escape(p))
	}
	return b.String()
}
