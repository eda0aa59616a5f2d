package jsonschema

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leatdev/leat/schema"
)

// home is where a text without an absolute $id lies: nowhere.
const home = "mem://input/"

// program is a schema ready to be walked and to validate by.
type program struct {
	compiled *validator.Schema
	byPlace  map[string]*validator.Schema // by url#pointer
	texts    map[string]*node             // by url
}

func parse(text string, imports []schema.Import) (*Schema, error) {
	root, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("parse JSON Schema: %w", err)
	}
	if root.kind != '{' && root.kind != 't' && root.kind != 'f' {
		return nil, errors.New("parse JSON Schema: at #: a schema is an object, true or false")
	}
	s := &Schema{root: root, imports: imports, canonical: string(root.append(nil, false))}
	if s.program, err = compile(root, imports); err != nil {
		return nil, fmt.Errorf("parse JSON Schema: %w", err)
	}
	s.shape = sync.OnceValue(s.program.normal)
	return s, nil
}

// compile resolves all references and checks the text against its draft.
func compile(root *node, imports []schema.Import) (program, error) {
	l, err := newLibrary(root, imports)
	if err != nil {
		return program{}, err
	}
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft7)
	c.UseLoader(l)
	main := home + "schema.json"
	l.texts[main] = root
	compiled, err := c.Compile(main)
	if err != nil {
		return program{}, explain(err, root)
	}
	p := program{compiled: compiled, byPlace: map[string]*validator.Schema{}, texts: l.loaded}
	p.index(compiled)
	return p, nil
}

// library holds the only texts that a $ref can lead to.
type library struct {
	texts  map[string]*node // by url
	loaded map[string]*node
}

// newLibrary puts each import where the reference that names it leads: below the $id of the schema
// that uses it, which may be the root or another import.
func newLibrary(root *node, imports []schema.Import) (*library, error) {
	if len(imports) > maxImports {
		return nil, fmt.Errorf("at #: %d referenced schemas are more than %d", len(imports), maxImports)
	}
	l := &library{texts: map[string]*node{}, loaded: map[string]*node{}}
	bases := []string{home, base(home, root)}
	nodes := make([]*node, len(imports))
	schemas := root.schemas()
	for i, im := range imports {
		n, err := read(im.Text)
		if err != nil {
			return nil, fmt.Errorf("reference %q: %w", im.Name, err)
		}
		nodes[i] = n
		schemas += n.schemas()
		for _, b := range bases {
			l.put(resolve(b, im.Name), n)
		}
		bases = append(bases, base(resolve(home, im.Name), n))
	}
	if schemas > maxSchemas {
		return nil, fmt.Errorf("at #: %d schemas in one, with those that it refers to, are more than %d: split it", schemas, maxSchemas)
	}
	for i, im := range imports { // those that name each other from within their own $id
		for _, b := range bases {
			l.put(resolve(b, im.Name), nodes[i])
		}
	}
	return l, nil
}

func (l *library) put(at string, n *node) {
	if _, ok := l.texts[at]; !ok && at != "" {
		l.texts[at] = n
	}
}

// Load answers the compiler. It is asked for what $ref and $schema name and no text before defined.
func (l *library) Load(at string) (any, error) {
	n, ok := l.texts[at]
	if !ok {
		return nil, errNotFetched
	}
	l.loaded[at] = n
	doc := n.plain()
	if object, ok := doc.(map[string]any); ok {
		settle(object)
	}
	return doc, nil
}

var errNotFetched = errors.New(`nothing is fetched: register that schema and name it in "references", by the text of the $ref`)

// drafts are the dialects by what their names have in common.
var drafts = map[string]*validator.Draft{
	"json-schema.org/draft-04/schema":      validator.Draft4,
	"json-schema.org/draft-06/schema":      validator.Draft6,
	"json-schema.org/draft-07/schema":      validator.Draft7,
	"json-schema.org/draft/2019-09/schema": validator.Draft2019,
	"json-schema.org/draft/2020-12/schema": validator.Draft2020,
}

// settle takes away a $schema that names no dialect: such a text is read as draft 7.
func settle(object map[string]any) {
	name, _ := object["$schema"].(string)
	_, name, _ = strings.Cut(strings.TrimSuffix(name, "#"), "://")
	if d := drafts[name]; d != nil {
		object["$schema"] = d.String()
	} else {
		delete(object, "$schema")
	}
}

// schemas counts what may be schemas, and so what may be references.
func (n *node) schemas() int {
	count := 0
	if n.kind == '{' || n.kind == 't' || n.kind == 'f' {
		count = 1
	}
	for _, m := range n.members {
		count += m.value.schemas()
	}
	for _, item := range n.items {
		count += item.schemas()
	}
	return count
}

// base is where the relative references of a text start.
func base(at string, n *node) string {
	for _, keyword := range []string{"$id", "id"} {
		if id, ok := n.str(keyword); ok {
			return resolve(at, id)
		}
	}
	return at
}

// resolve is a reference seen from a place, without its fragment; "" where it is none.
func resolve(from, ref string) string {
	b, err := url.Parse(from)
	if err != nil {
		return ""
	}
	r, err := url.Parse(ref)
	if err != nil {
		return ""
	}
	at := b.ResolveReference(r)
	at.Fragment, at.RawFragment = "", ""
	return at.String()
}
