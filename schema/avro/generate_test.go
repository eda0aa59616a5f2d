package avro_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// spec is a type that the tests made up.
type spec struct {
	kind     string // a word of the language, or "ref"
	name     string // of a named type and of a ref
	space    string
	noSpace  bool // the text does not say the namespace: that around it holds
	aliases  []string
	doc      string
	props    []string // members, as they stand in the text
	fields   []*fieldSpec
	symbols  []string
	symbol   string
	size     int
	elem     *spec
	branches []*spec
	long     bool // a primitive as an object
}

type fieldSpec struct {
	name, doc, fallback, order string
	aliases, props             []string
	typ                        *spec
}

func (s *spec) clone() *spec {
	c := *s
	c.fields, c.branches = nil, nil
	c.aliases, c.symbols = slices.Clone(s.aliases), slices.Clone(s.symbols)
	for _, f := range s.fields {
		g := *f
		g.typ, g.aliases = f.typ.clone(), slices.Clone(f.aliases)
		c.fields = append(c.fields, &g)
	}
	if s.elem != nil {
		c.elem = s.elem.clone()
	}
	for _, b := range s.branches {
		c.branches = append(c.branches, b.clone())
	}
	return &c
}

// walk visits a type and all that it is made of.
func (s *spec) walk(visit func(*spec)) {
	visit(s)
	for _, f := range s.fields {
		f.typ.walk(visit)
	}
	if s.elem != nil {
		s.elem.walk(visit)
	}
	for _, b := range s.branches {
		b.walk(visit)
	}
}

func quoted(all []string) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, fmt.Sprintf("%q", s))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (s *spec) text() string {
	members := []string{fmt.Sprintf("%q:%q", "type", s.kind)}
	add := func(key, value string) { members = append(members, fmt.Sprintf("%q: %s", key, value)) }
	switch s.kind {
	case "ref":
		if s.long {
			return fmt.Sprintf(`{"type":%q,"ignored":1}`, s.name)
		}
		return fmt.Sprintf("%q", s.name)
	case "union":
		var parts []string
		for _, b := range s.branches {
			parts = append(parts, b.text())
		}
		return "[" + strings.Join(parts, ",") + "]"
	case "array":
		add("items", s.elem.text())
	case "map":
		add("values", s.elem.text())
	case "record", "error", "enum", "fixed":
		add("name", fmt.Sprintf("%q", s.name))
		if !s.noSpace {
			add("namespace", fmt.Sprintf("%q", s.space))
		}
	default:
		if len(s.props) == 0 && !s.long {
			return fmt.Sprintf("%q", s.kind)
		}
	}
	if s.doc != "" {
		add("doc", s.doc)
	}
	if len(s.aliases) > 0 {
		add("aliases", quoted(s.aliases))
	}
	members = append(members, s.props...)
	switch s.kind {
	case "enum":
		add("symbols", quoted(s.symbols))
		if s.symbol != "" {
			add("default", fmt.Sprintf("%q", s.symbol))
		}
	case "fixed":
		add("size", fmt.Sprint(s.size))
	case "record", "error":
		var parts []string
		for _, f := range s.fields {
			parts = append(parts, f.text())
		}
		add("fields", "["+strings.Join(parts, ",")+"]")
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (f *fieldSpec) text() string {
	members := append([]string{fmt.Sprintf(`"name":%q`, f.name)}, f.props...)
	for _, m := range [][2]string{{"default", f.fallback}, {"doc", f.doc}, {"order", f.order}} {
		if m[1] != "" {
			members = append(members, fmt.Sprintf("%q:%s", m[0], m[1]))
		}
	}
	if len(f.aliases) > 0 {
		members = append(members, `"aliases":`+quoted(f.aliases))
	}
	return "{" + strings.Join(append(members, `"type" : `+f.typ.text()), ",") + "}"
}

// generator makes up types. The same seed makes up the same.
type generator struct {
	*rand.Rand
	plain bool     // no odd spellings, no properties, no ambiguity: what every implementation reads
	bad   int      // percentage of defaults that are of another type
	names []string // full names that can be referred to
	count int
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 7))}
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }
func (g *generator) pick(all ...string) string {
	return all[g.IntN(len(all))]
}

var primitiveWords = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

var oddProps = []string{
	`"x":1`, `"y":{"b":[1.50,-0,1e2,12345678901,1E-7,true,null,"\u001f\"\\/\u00e4"],"a":{}}`, `"logicalType":"nonsense"`,
	`"z":"\u0007\b\n\t\f\r\u2028"`, `"x":1`, `"d":100.0e-5`, `"f":123456789.125`, `"n":null`, `"x\ty":[]`,
}

func (g *generator) typ(depth int, space string) *spec {
	roll := g.IntN(100)
	if depth <= 0 && roll >= 50 {
		roll = g.IntN(50)
	}
	switch {
	case roll < 42:
		return g.primitive()
	case roll < 50:
		if len(g.names) == 0 {
			return g.primitive()
		}
		return &spec{kind: "ref", name: g.pick(g.names...), long: !g.plain && g.chance(10)}
	case roll < 68:
		return g.record(depth, space)
	case roll < 75:
		return g.enum(space)
	case roll < 80:
		return g.fixed(space)
	case roll < 86:
		return &spec{kind: "array", elem: g.typ(depth-1, space), props: g.props()}
	case roll < 91:
		return &spec{kind: "map", elem: g.typ(depth-1, space), props: g.props()}
	}
	return g.union(depth, space)
}

func (g *generator) primitive() *spec {
	s := &spec{kind: g.pick(primitiveWords...), long: g.chance(10), props: g.props()}
	if g.plain || !g.chance(15) {
		return s
	}
	s.kind, s.props = "bytes", []string{`"logicalType":"decimal"`, fmt.Sprintf(`"precision":%d`, g.IntN(12)), fmt.Sprintf(`"scale":%d`, g.IntN(5))}
	switch g.IntN(3) {
	case 0:
		s.kind, s.props = "long", []string{`"logicalType":"timestamp-millis"`}
	case 1:
		s.kind, s.props = "string", []string{`"logicalType":"uuid"`}
	}
	return s
}

func (g *generator) props() (all []string) {
	for !g.plain && g.chance(8) {
		all = append(all, g.pick(oddProps...))
	}
	return all
}

func (g *generator) docs() string {
	if g.plain || !g.chance(15) {
		return ""
	}
	return g.pick(`"a doc"`, `""`, `"ein \u00e4 \"doc\"\n"`, `7`)
}

// begin makes up the name of a type.
func (g *generator) begin(kind, around string) *spec {
	g.count++
	s := &spec{kind: kind, name: fmt.Sprintf("%c%d", 'A'+rune(g.IntN(4)), g.count), space: g.pick("", "n", "m.o"), doc: g.docs(), props: g.props()}
	if g.chance(40) {
		s.space, s.noSpace = around, true
	}
	if !g.plain {
		switch {
		case g.chance(3):
			s.name = g.pick("record", "map", "enum", "\u00c4r\u00df", "_") + fmt.Sprint(g.count)
		case g.chance(3):
			s.name = g.pick("record", "map", "enum", "array", "fixed", "union")
		}
	}
	if g.chance(15) {
		s.aliases = append(s.aliases, g.pick("Old", "n.Older", "m.o.Old", "Old"), g.pick("Old", "x.Old"))
		if !g.plain && g.chance(30) {
			s.aliases = append(s.aliases, ".Bare")
		}
	}
	return s
}

func (s *spec) full() string {
	if s.space == "" {
		return s.name
	}
	return s.space + "." + s.name
}

func (g *generator) enum(space string) *spec {
	s := g.begin("enum", space)
	s.symbols = slices.Clone([]string{"A", "B", "C", "D", "E"}[:1+g.IntN(5)])
	g.Shuffle(len(s.symbols), func(i, j int) { s.symbols[i], s.symbols[j] = s.symbols[j], s.symbols[i] })
	if g.chance(30) {
		s.symbol = g.pick(s.symbols...)
	}
	g.names = append(g.names, s.full())
	return s
}

func (g *generator) fixed(space string) *spec {
	s := g.begin("fixed", space)
	s.size = g.IntN(20)
	g.names = append(g.names, s.full())
	return s
}

func (g *generator) record(depth int, around string) *spec {
	kind := "record"
	if !g.plain && g.chance(5) {
		kind = "error"
	}
	s := g.begin(kind, around)
	if g.chance(50) {
		g.names = append(g.names, s.full())
	}
	for i := range g.IntN(5) {
		s.fields = append(s.fields, g.field(fmt.Sprintf("f%d", i), depth-1, s))
	}
	if !slices.Contains(g.names, s.full()) {
		g.names = append(g.names, s.full())
	}
	return s
}

func (g *generator) field(name string, depth int, in *spec) *fieldSpec {
	f := &fieldSpec{name: name, typ: g.typ(depth, in.space), doc: g.docs(), props: g.props()}
	if slices.Contains(g.names, in.full()) && g.chance(10) { // itself, where that can end
		f.typ = &spec{kind: "union", branches: []*spec{{kind: "null"}, {kind: "ref", name: in.full()}}}
	}
	if g.chance(35) {
		f.fallback = g.fallback(f.typ)
	}
	if !g.plain && g.chance(10) {
		f.order = g.pick(`"ascending"`, `"descending"`, `"IGNORE"`)
	}
	if g.chance(12) {
		f.aliases = append(f.aliases, g.pick("old", "older", "f9", "f8"))
	}
	return f
}

func (g *generator) union(depth int, space string) *spec {
	s := &spec{kind: "union"}
	seen := map[string]bool{}
	if g.chance(40) {
		seen["null"] = true
		s.branches = append(s.branches, &spec{kind: "null"})
	}
	for range 1 + g.IntN(3) {
		b := g.typ(depth-1, space)
		key := b.kind
		switch b.kind {
		case "union":
			continue
		case "ref":
			key = b.name
		case "record", "error", "enum", "fixed":
			key = b.full()
		}
		if !seen[key] {
			seen[key] = true
			s.branches = append(s.branches, b)
		}
	}
	if g.chance(30) {
		slices.Reverse(s.branches)
	}
	return s
}

// fallback makes up a default of a type, or of another.
func (g *generator) fallback(s *spec) string {
	if g.chance(g.bad) {
		return g.pick(`null`, `1`, `"x"`, `[]`, `{}`, `true`, `1.5`, `{"f0":1}`, `2147483648`, `[null]`, `{"a":null}`)
	}
	switch s.kind {
	case "null":
		return "null"
	case "boolean":
		return g.pick("true", "false")
	case "int":
		return g.pick("0", "-7", "2147483647")
	case "long":
		return g.pick("0", "-7", "9223372036854775807")
	case "float", "double":
		if g.plain {
			return "1.5"
		}
		return g.pick("0", "1.5", "-0.0", "1e21", "0.001", "1E-5", "12345678.9", `"NaN"`, `"-Infinity"`, `" 1.5f"`)
	case "bytes", "string":
		return g.pick(`""`, `"abc"`)
	case "fixed":
		return `"` + strings.Repeat("x", s.size) + `"`
	case "enum":
		return fmt.Sprintf("%q", s.symbols[0])
	case "array":
		return "[]"
	case "map":
		return "{}"
	case "union":
		if len(s.branches) > 0 {
			return g.fallback(s.branches[0])
		}
	case "record", "error":
		var parts []string
		for _, f := range s.fields {
			if v := g.fallback(f.typ); v != "" && (f.fallback == "" || g.chance(50)) {
				parts = append(parts, fmt.Sprintf("%q:%s", f.name, v))
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "" // of a ref, which may be the type around it
}

// texts makes up a text and those that it refers to.
func (g *generator) texts() []string {
	g.bad = 10
	var imports []string
	for range g.IntN(3) {
		imports = append(imports, g.record(2, "").text())
	}
	all := []string{g.typ(4, "").text()}
	return append(all, imports...)
}

// withDefaults makes up a record that has defaults.
func (g *generator) withDefaults() string {
	g.bad = 12
	s := g.record(3, "")
	for _, f := range s.fields {
		if f.fallback == "" {
			f.fallback = g.fallback(f.typ)
		}
	}
	return s.text()
}

// pair makes up a reader and a writer that have something in common.
func (g *generator) pair() (reader, writer string) {
	g.bad = 10
	w := g.typ(4, "")
	if g.chance(60) {
		w = g.record(4, "")
	}
	r := w.clone()
	for range 1 + g.IntN(3) {
		g.mutate(r)
	}
	if g.chance(5) {
		r = g.typ(3, "")
	}
	if g.chance(50) {
		r, w = w, r
	}
	return r.text(), w.text()
}
