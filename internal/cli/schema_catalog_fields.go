package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/protobuf"
	"github.com/leatdev/leat/service"
)

// fieldDoc is a line of an event's table of fields.
type fieldDoc struct {
	Path string // for example "items[].sku"
	Type string
	Note string // required, optional, the default
	Doc  string
}

// maxFields bounds the table of one event: schemas that use each other can unfold without an end.
const maxFields = 500

// fieldDocs are the fields of a contract's events, in the order of the schema.
func fieldDocs(c service.Contract) ([]fieldDoc, error) {
	switch c.Type {
	case schema.Avro:
		s, err := avro.Format.Parse(c.Schema, c.SchemaImports())
		if err != nil {
			return nil, err
		}
		text, err := s.As("resolved")
		if err != nil {
			return nil, err
		}
		root, err := jsonTree(text)
		if err != nil {
			return nil, err
		}
		w := avroFields{named: map[string]*yaml.Node{}}
		w.learn(root, "")
		w.walk(root, "", "", nil)
		return w.all, nil
	case schema.Protobuf:
		s, err := protobuf.Format.Parse(c.Schema, c.SchemaImports())
		if err != nil {
			return nil, err
		}
		var all []fieldDoc
		for _, f := range protobuf.Fields(s, c.Message, maxFields+1) {
			all = append(all, fieldDoc{Path: f.Path, Type: f.Type, Note: f.Label})
		}
		return all, nil
	case schema.JSONSchema:
		root, err := jsonTree(c.Schema)
		if err != nil {
			return nil, err
		}
		w := jsonFields{root: root}
		w.walk(root, "", nil)
		return w.all, nil
	}
	return nil, nil
}

// jsonTree reads JSON and keeps the order of its keys.
func jsonTree(text string) (*yaml.Node, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	return yamlOf(dec)
}

// child is a member of an object; nil where there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// words are the text of a member that is a scalar; "" where there is none.
func words(n *yaml.Node, name string) string {
	if c := child(n, name); c != nil && c.Kind == yaml.ScalarNode {
		return c.Value
	}
	return ""
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// oneLine is a value as a line of JSON.
func oneLine(n *yaml.Node) string {
	var v any
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		v = n.Value
	} else if err := n.Decode(&v); err != nil {
		return n.Value
	}
	text, err := json.Marshal(v)
	if err != nil {
		return n.Value
	}
	return string(text)
}

// avroFields walks over the text of an Avro schema.
type avroFields struct {
	named map[string]*yaml.Node // by full names
	all   []fieldDoc
}

// fullName is the name of n or, of a scalar, the one that it says, seen from a namespace.
func fullName(n *yaml.Node, space string) string {
	name := n.Value
	if n.Kind == yaml.MappingNode {
		name = words(n, "name")
		if own := child(n, "namespace"); own != nil {
			space = own.Value
		}
	}
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

func spaceOf(full string) string {
	return full[:max(0, strings.LastIndexByte(full, '.'))]
}

// learn finds the named types.
func (w *avroFields) learn(n *yaml.Node, space string) {
	for _, branch := range items(n) {
		w.learn(branch, space)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	if words(n, "name") != "" {
		full := fullName(n, space)
		w.named[full], space = n, spaceOf(full)
	}
	for _, name := range []string{"type", "items", "values"} {
		if inner := child(n, name); inner != nil {
			w.learn(inner, space)
		}
	}
	for _, f := range items(child(n, "fields")) {
		if typ := child(f, "type"); typ != nil {
			w.learn(typ, space)
		}
	}
}

// found is the definition that a name stands for, or n itself.
func (w *avroFields) found(n *yaml.Node, space string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && w.named[fullName(n, space)] != nil {
		return w.named[fullName(n, space)]
	}
	return n
}

// walk adds the fields of the records in n.
func (w *avroFields) walk(n *yaml.Node, space, path string, within []string) {
	if len(w.all) > maxFields {
		return
	}
	for _, branch := range items(n) {
		w.walk(branch, space, path, within)
	}
	n = w.found(n, space)
	switch words(n, "type") {
	case "array":
		w.walk(child(n, "items"), space, path+"[]", within)
	case "map":
		w.walk(child(n, "values"), space, path+"{}", within)
	case "record", "error":
		full := fullName(n, space)
		if slices.Contains(within, full) {
			return
		}
		within, space = append(slices.Clip(within), full), spaceOf(full)
		for _, f := range items(child(n, "fields")) {
			own := fieldDoc{Path: strings.TrimPrefix(path+"."+words(f, "name"), "."), Type: w.typeName(child(f, "type"), space), Doc: words(f, "doc"), Note: "required"}
			if standard := child(f, "default"); standard != nil {
				own.Note = "default " + oneLine(standard)
			}
			w.all = append(w.all, own)
			w.walk(child(f, "type"), space, own.Path, within)
		}
	default:
		if inner := child(n, "type"); inner != nil && inner.Kind != yaml.ScalarNode {
			w.walk(inner, space, path, within)
		}
	}
}

func (w *avroFields) typeName(n *yaml.Node, space string) string {
	if n == nil {
		return ""
	}
	if n.Kind == yaml.SequenceNode {
		var all []string
		for _, branch := range n.Content {
			all = append(all, w.typeName(branch, space))
		}
		return strings.Join(all, " | ")
	}
	if n = w.found(n, space); n.Kind == yaml.ScalarNode {
		return n.Value
	}
	typ := words(n, "type")
	switch logical := words(n, "logicalType"); {
	case logical == "decimal":
		return fmt.Sprintf("decimal(%s, %s)", words(n, "precision"), words(n, "scale"))
	case logical != "":
		return logical
	case typ == "array":
		return "array of " + w.typeName(child(n, "items"), space)
	case typ == "map":
		return "map of " + w.typeName(child(n, "values"), space)
	case typ == "enum":
		var symbols []string
		for _, s := range items(child(n, "symbols")) {
			symbols = append(symbols, s.Value)
		}
		return "enum " + words(n, "name") + ": " + strings.Join(symbols, ", ")
	case words(n, "name") != "":
		return typ + " " + words(n, "name")
	case typ == "":
		return w.typeName(child(n, "type"), space)
	}
	return typ
}
