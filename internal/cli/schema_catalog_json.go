package cli

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonFields walks over the text of a JSON Schema.
type jsonFields struct {
	root  *yaml.Node
	all   []fieldDoc
	steps int // so far: schemas that are made of each other unfold without adding a field
}

// far tells that the walk has gone far enough.
func (w *jsonFields) far() bool {
	w.steps++
	return len(w.all) > maxFields || w.steps > 100*maxFields
}

// found follows references within the text; others stay as they are.
func (w *jsonFields) found(n *yaml.Node) *yaml.Node {
	for range 10 { // of references that lead to references
		ref, ok := strings.CutPrefix(words(n, "$ref"), "#")
		if !ok {
			return n
		}
		to := w.root
		for _, part := range strings.Split(strings.TrimPrefix(ref, "/"), "/") {
			if part == "" {
				continue
			}
			if plain, err := url.PathUnescape(part); err == nil {
				part = plain
			}
			to = child(to, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
		if to == nil {
			return n
		}
		n = to
	}
	return n
}

// walk adds the properties of n and of what it is made of.
func (w *jsonFields) walk(n *yaml.Node, path string, within []*yaml.Node) {
	n = w.found(n)
	if n == nil || w.far() || slices.Contains(within, n) {
		return
	}
	within = append(slices.Clip(within), n)
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		for _, part := range items(child(n, word)) {
			w.walk(part, path, within)
		}
	}
	w.walk(child(n, "items"), path+"[]", within)
	w.walk(child(n, "additionalProperties"), path+"{}", within)
	properties := child(n, "properties")
	if properties == nil {
		return
	}
	var required []string
	for _, name := range items(child(n, "required")) {
		required = append(required, name.Value)
	}
	for i := 0; i+1 < len(properties.Content); i += 2 {
		name, p := properties.Content[i].Value, properties.Content[i+1]
		own := fieldDoc{Path: strings.TrimPrefix(path+"."+name, "."), Type: w.typeName(p, nil), Doc: words(p, "description"), Note: "optional"}
		if standard := child(p, "default"); standard != nil {
			own.Note = "default " + oneLine(standard)
		}
		if slices.Contains(required, name) {
			own.Note = "required"
		}
		w.all = append(w.all, own)
		w.walk(p, own.Path, within)
	}
}

func (w *jsonFields) typeName(n *yaml.Node, within []*yaml.Node) string {
	ref := words(n, "$ref")
	name := ref[strings.LastIndexByte(ref, '/')+1:]
	if ref == "#" {
		return "itself"
	}
	if n = w.found(n); n == nil || w.far() || slices.Contains(within, n) || n.Kind != yaml.MappingNode {
		return name
	}
	within = append(slices.Clip(within), n)
	var all []string
	for _, word := range []string{"anyOf", "oneOf"} {
		for _, part := range items(child(n, word)) {
			all = append(all, w.typeName(part, within))
		}
	}
	for _, value := range items(child(n, "enum")) {
		all = append(all, oneLine(value))
	}
	if value := child(n, "const"); value != nil {
		all = append(all, oneLine(value))
	}
	typ := child(n, "type")
	switch {
	case len(all) > 0:
		return strings.Join(all, " | ")
	case typ == nil:
		return name
	case typ.Kind == yaml.SequenceNode:
		for _, t := range typ.Content {
			all = append(all, t.Value)
		}
		return strings.Join(all, " | ")
	case typ.Value == "array":
		return strings.TrimSuffix("array of "+w.typeName(child(n, "items"), within), " of ")
	case typ.Value == "object":
		return strings.TrimSpace("object " + name)
	}
	return strings.TrimSpace(typ.Value + " " + words(n, "format"))
}
