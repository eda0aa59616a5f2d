package avro

// skipFunc passes over a value that nobody wants.
type skipFunc func(d *decoder) error

// recordSkipper passes over a record, which may hold itself.
type recordSkipper struct{ fields []skipFunc }

func (s *recordSkipper) skip(d *decoder) error {
	if err := d.enter(); err != nil {
		return err
	}
	for _, f := range s.fields {
		if err := f(d); err != nil {
			return err
		}
	}
	d.depth--
	return nil
}

func (c *resolution) skip(n *node) skipFunc {
	switch n.kind {
	case kindNull:
		return func(*decoder) error { return nil }
	case kindInt, kindLong, kindEnum:
		return func(d *decoder) error { _, err := d.long(); return err }
	case kindString, kindBytes:
		return func(d *decoder) error { _, err := d.bytes(); return err }
	case kindArray, kindMap:
		return c.skipItems(n)
	case kindUnion:
		branches := make([]skipFunc, len(n.branches))
		for i, b := range n.branches {
			branches[i] = c.skip(b)
		}
		return func(d *decoder) error {
			i, err := d.branch(len(branches))
			if err != nil {
				return err
			}
			return branches[i](d)
		}
	case kindRecord:
		s := c.skips[n]
		if s == nil {
			if c.skips == nil {
				c.skips = map[*node]*recordSkipper{}
			}
			s = &recordSkipper{}
			c.skips[n] = s
			for _, f := range n.fields {
				s.fields = append(s.fields, c.skip(f.typ))
			}
		}
		return s.skip
	}
	fixed := map[kind]int{kindBoolean: 1, kindFloat: 4, kindDouble: 8, kindFixed: n.size}[n.kind]
	return func(d *decoder) error { _, err := d.take(fixed); return err }
}

func (c *resolution) skipItems(n *node) skipFunc {
	elem, least := c.skip(n.elem), size(n.elem)
	if n.kind == kindMap {
		least++
	}
	return func(d *decoder) error {
		for {
			items, err := d.block(least)
			if err != nil || items == 0 {
				return err
			}
			for range items {
				if n.kind == kindMap {
					if _, err := d.bytes(); err != nil {
						return err
					}
				}
				if err := elem(d); err != nil {
					return err
				}
			}
		}
	}
}
