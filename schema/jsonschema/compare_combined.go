package jsonschema

import "strconv"

func (s *scope) combined(old, new *shape) {
	switch kind := criteria(old, new); kind {
	case "":
	case combinedChanged:
		s.add(kind)
		return
	default:
		s.add(kind)
	}
	from, to := distinct(old.parts), distinct(new.parts)
	switch {
	case len(from) < len(to) && new.how == allOf:
		s.add(productExtended)
	case len(from) < len(to):
		s.add(sumExtended)
	case len(from) > len(to) && old.how == allOf:
		s.add(productNarrowed)
	case len(from) > len(to):
		s.add(sumNarrowed)
	}
	fits := make([][]int, len(from)) // which of the new parts read each old one
	found := map[[2]int][]difference{}
	for i, a := range from {
		s.in(string(old.how)+"/"+strconv.Itoa(i), func() {
			for j, b := range to {
				t := s.sub()
				t.compare(a, b)
				if t.can() {
					fits[i] = append(fits[i], j)
					found[[2]int{i, j}] = t.found
				}
			}
		})
	}
	partner, size := match(fits, len(to))
	for i, j := range partner {
		if j >= 0 {
			s.take(found[[2]int{i, j}])
		}
	}
	if size < min(len(from), len(to)) {
		s.add(subschemasChanged)
	}
}

// criteria judges a change of the way that parts go together.
func criteria(old, new *shape) string {
	one, alsoOne := len(old.parts) == 1, len(new.parts) == 1
	switch {
	case old.how == new.how:
		return ""
	case new.how == anyOf, one && alsoOne, one && new.how == oneOf, alsoOne && old.how == allOf:
		return combinedExtended
	}
	return combinedChanged
}

// distinct drops parts that stand twice.
func distinct(parts []*shape) []*shape {
	seen := map[string]bool{}
	var list []*shape
	for _, p := range parts {
		if p.key != "" && seen[p.key] {
			continue
		}
		seen[p.key] = true
		list = append(list, p)
	}
	return list
}

// match finds as many pairs as there can be (Hopcroft and Karp): partner is the right one of each left
// one, -1 without.
func match(fits [][]int, right int) (partner []int, size int) {
	m := &matching{fits: fits, left: unmatched(len(fits)), right: unmatched(right), depth: make([]int, len(fits))}
	for m.layers() {
		for i := range fits {
			if m.left[i] < 0 && m.augment(i) {
				size++
			}
		}
	}
	return m.left, size
}

func unmatched(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = -1
	}
	return list
}

type matching struct {
	fits        [][]int
	left, right []int
	depth       []int // of a left one in the search; -1: not reached, or no way on
}

// layers sets the depths from all free left ones, and says whether a free right one was reached.
func (m *matching) layers() bool {
	var queue []int
	for i := range m.left {
		m.depth[i] = -1
		if m.left[i] < 0 {
			m.depth[i] = 0
			queue = append(queue, i)
		}
	}
	free := false
	for ; len(queue) > 0; queue = queue[1:] {
		for _, j := range m.fits[queue[0]] {
			switch back := m.right[j]; {
			case back < 0:
				free = true
			case m.depth[back] < 0:
				m.depth[back] = m.depth[queue[0]] + 1
				queue = append(queue, back)
			}
		}
	}
	return free
}

func (m *matching) augment(i int) bool {
	for _, j := range m.fits[i] {
		back := m.right[j]
		if back < 0 || m.depth[back] == m.depth[i]+1 && m.augment(back) {
			m.left[i], m.right[j] = j, i
			return true
		}
	}
	m.depth[i] = -1
	return false
}
