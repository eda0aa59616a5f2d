package avro_test

import (
	"fmt"
	"slices"
)

// mutate changes one thing about a type or something inside of it.
func (g *generator) mutate(root *spec) {
	var all []*spec
	root.walk(func(s *spec) { all = append(all, s) })
	s := all[g.IntN(len(all))]
	if g.chance(25) {
		g.replace(s)
		return
	}
	switch s.kind {
	case "record", "error":
		if g.chance(20) {
			g.rename(root, s)
			return
		}
		g.mutateFields(s)
	case "enum":
		g.mutateEnum(root, s)
	case "fixed":
		if g.chance(40) {
			g.rename(root, s)
			return
		}
		s.size++
	case "union":
		g.mutateUnion(s)
	default:
		g.replace(s)
	}
}

// replace puts another type in the place of one.
func (g *generator) replace(s *spec) {
	before := s.clone()
	if before.kind == "record" || before.kind == "error" || before.kind == "enum" || before.kind == "fixed" {
		return // it may be referred to
	}
	switch g.IntN(3) {
	case 0:
		*s = *g.primitive()
	case 1:
		if before.kind != "union" {
			*s = spec{kind: "union", branches: []*spec{before}}
			if before.kind != "null" {
				s.branches = append(s.branches, &spec{kind: "null"})
			}
		}
	default:
		if before.kind == "union" && len(before.branches) > 0 {
			*s = *before.branches[g.IntN(len(before.branches))]
		}
	}
}

// rename gives a named type another name, with or without the old one as an alias.
func (g *generator) rename(root, s *spec) {
	old := s.full()
	g.count++
	s.name = fmt.Sprintf("%sR%d", s.name, g.count)
	if g.chance(50) {
		s.aliases = append(s.aliases, old)
	}
	root.walk(func(r *spec) {
		if r.kind == "ref" && r.name == old {
			r.name = s.full()
		}
	})
}

func (g *generator) mutateEnum(root, s *spec) {
	switch g.IntN(4) {
	case 0:
		s.symbols = append(s.symbols, fmt.Sprintf("N%d", len(s.symbols)))
	case 1:
		if len(s.symbols) > 1 {
			s.symbols = s.symbols[1:]
		}
		s.symbol = ""
	case 2:
		s.symbol = s.symbols[0]
	default:
		g.rename(root, s)
	}
}

func (g *generator) mutateUnion(s *spec) {
	if len(s.branches) == 0 {
		return
	}
	switch g.IntN(3) {
	case 0:
		slices.Reverse(s.branches)
	case 1:
		i := g.IntN(len(s.branches))
		if k := s.branches[i].kind; k != "record" && k != "error" && k != "enum" && k != "fixed" {
			s.branches = slices.Delete(s.branches, i, i+1)
		}
	default:
		if b := g.primitive(); !slices.ContainsFunc(s.branches, func(o *spec) bool { return o.kind == b.kind }) {
			s.branches = append(s.branches, b)
		}
	}
}

func (g *generator) mutateFields(s *spec) {
	if len(s.fields) == 0 || g.chance(30) {
		g.count++
		f := g.field(fmt.Sprintf("n%d", g.count), 1, s)
		s.fields = slices.Insert(s.fields, g.IntN(len(s.fields)+1), f)
		return
	}
	i := g.IntN(len(s.fields))
	f := s.fields[i]
	switch g.IntN(5) {
	case 0:
		if f.typ.elem == nil && f.typ.fields == nil && f.typ.branches == nil && f.typ.symbols == nil && f.typ.kind != "fixed" && f.typ.kind != "record" && f.typ.kind != "error" {
			s.fields = slices.Delete(s.fields, i, i+1)
		}
	case 1:
		g.count++
		old := f.name
		f.name = fmt.Sprintf("r%d", g.count)
		if g.chance(60) {
			f.aliases = append(f.aliases, old)
		}
	case 2:
		if !g.plain {
			f.aliases = append(f.aliases, s.fields[g.IntN(len(s.fields))].name)
		}
	case 3:
		f.fallback = g.fallback(f.typ)
	default:
		g.Shuffle(len(s.fields), func(a, b int) { s.fields[a], s.fields[b] = s.fields[b], s.fields[a] })
	}
}
