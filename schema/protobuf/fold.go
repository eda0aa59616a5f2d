package protobuf

import "slices"

// fold tells whether the file spells the entries of maps out.
func (f *file) fold() bool {
	return slices.ContainsFunc(f.messages, spellsMaps)
}

func spellsMaps(m *message) bool {
	return m.mapEntry() || slices.ContainsFunc(m.messages, spellsMaps) ||
		slices.ContainsFunc(m.groups, func(g group) bool { return spellsMaps(g.body) })
}

// folded is the file with maps in their own notation.
func (f *file) folded() *file {
	c := *f
	c.messages = foldAll(f.messages)
	return &c
}

func foldAll(messages []*message) []*message {
	folded := make([]*message, len(messages))
	for i, m := range messages {
		folded[i] = foldMessage(m)
	}
	return folded
}

func foldMessage(m *message) *message {
	c := *m
	c.fields, c.messages, c.groups = slices.Clone(m.fields), nil, slices.Clone(m.groups)
	for i, g := range m.groups {
		c.groups[i].body = foldMessage(g.body)
	}
	entries := map[string]*message{}
	for _, n := range m.messages {
		if n.mapEntry() && len(n.fields) == 2 {
			entries[n.name] = n
		} else {
			c.messages = append(c.messages, foldMessage(n))
		}
	}
	for i, f := range c.fields {
		if e := entries[lastName(f.typ)]; e != nil && f.label == "repeated" {
			c.fields[i].label, c.fields[i].key, c.fields[i].typ = "", e.fields[0].typ, e.fields[1].typ
		}
	}
	return &c
}
