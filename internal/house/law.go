package house

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// root is the name that the page gives to the module's own directory.
const root = "leat"

// street is the floor above all others.
const street = 6

// Law is what docs/house.md says, ready to be checked.
type Law struct {
	floors    []placed
	stairs    []placed
	sideways  []line // from -> rooms
	materials []line // import path -> rooms
	roots     []string
}

// placed is a room, or all rooms below one, and its floor.
type placed struct {
	room  string
	floor int
}

// line is a table's line: a name and the rooms that go with it.
type line struct {
	name  string
	rooms []string
}

// Read takes the tables out of the page's text.
func Read(page string) (*Law, error) {
	law := &Law{}
	var errs []error
	floors, err := table(page, "floors")
	errs = append(errs, err)
	for _, fields := range floors {
		if fields[0] != "street" && len(fields) > 1 {
			fields = slices.Delete(fields, 1, 2) // a floor's name
		}
		law.floors, err = place(law.floors, fields)
		errs = append(errs, err)
	}
	stairs, err := table(page, "staircase")
	errs = append(errs, err)
	for _, fields := range stairs {
		law.stairs, err = place(law.stairs, fields)
		errs = append(errs, err)
	}
	sideways, err := table(page, "sideways")
	errs = append(errs, err)
	for _, fields := range sideways {
		if len(fields) < 3 || fields[1] != "->" {
			errs = append(errs, fmt.Errorf("read sideways arrow %q: want room -> rooms", strings.Join(fields, " ")))
			continue
		}
		law.sideways = append(law.sideways, line{fields[0], fields[2:]})
	}
	materials, err := table(page, "materials")
	errs = append(errs, err)
	for _, fields := range materials {
		law.materials = append(law.materials, line{fields[0], fields[1:]})
	}
	roots, err := table(page, "root")
	errs = append(errs, err)
	law.roots = slices.Concat(roots...)
	return law, errors.Join(errs...)
}

// table returns the fields of each line in the fenced block of that name.
func table(page, name string) ([][]string, error) {
	_, rest, ok := strings.Cut(page, "\n```"+name+"\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		return nil, fmt.Errorf("find table %s: the page has no closed block of that name", name)
	}
	var lines [][]string
	for text := range strings.Lines(block) {
		if fields := strings.Fields(text); len(fields) > 0 {
			lines = append(lines, fields)
		}
	}
	return lines, nil
}

// place adds the rooms of a line that begins with their floor.
func place(to []placed, fields []string) ([]placed, error) {
	floor := street
	if fields[0] != "street" {
		n, err := strconv.Atoi(fields[0])
		if err != nil || n < 0 || n >= street {
			return to, fmt.Errorf("read floor %q: want 0 to %d, or street", fields[0], street-1)
		}
		floor = n
	}
	for _, room := range fields[1:] {
		to = append(to, placed{room, floor})
	}
	return to, nil
}

// find returns the floor of a room in a table; a room named outright beats one
// that is merely below another.
func find(in []placed, room string) (int, bool) {
	floor, best := 0, -1
	for _, p := range in {
		if matches(p.room, room) && len(p.room) > best {
			floor, best = p.floor, len(p.room)
			if p.room == room {
				break
			}
		}
	}
	return floor, best >= 0
}

// matches tells whether a name on the page means a room.
func matches(name, room string) bool {
	if above, ok := strings.CutSuffix(name, "/*"); ok {
		return strings.HasPrefix(room, above+"/")
	}
	return name == room
}

// floor returns the floor of a room beside the staircase. What is internal to one
// room, internal/ROOM, stands where the room does.
func (l *Law) floor(room string) (int, bool) {
	if floor, ok := find(l.floors, room); ok {
		return floor, true
	}
	if owner, ok := strings.CutPrefix(room, "internal/"); ok {
		return find(l.floors, owner)
	}
	return 0, false
}

// stair returns the highest floor that a room of the staircase may use.
func (l *Law) stair(room string) (int, bool) { return find(l.stairs, room) }

// arrow says what is wrong with an import between two rooms, or "". outside tells
// that the importing file is of a package named x_test.
func (l *Law) arrow(from, to string, outside bool) string {
	if from == to {
		return "" // an x_test and its package
	}
	limit, climbing := l.stair(from)
	if _, ok := l.stair(to); ok {
		if climbing || outside {
			return ""
		}
		return fmt.Sprintf("imports %s: only packages named x_test and the staircase may", to)
	}
	target, ok := l.floor(to)
	if !ok {
		return fmt.Sprintf("imports %s, a room the page does not know", to)
	}
	if climbing {
		if target <= limit {
			return ""
		}
		return fmt.Sprintf("imports %s on floor %d: %s may use floors up to %d", to, target, from, limit)
	}
	own, ok := l.floor(from)
	switch {
	case !ok: // told once per directory
		return ""
	case target < own:
		return ""
	case target == own && (strings.HasPrefix(to, from+"/") || to == "internal/"+from):
		return ""
	case l.beside(from, to):
		return ""
	}
	return fmt.Sprintf("imports %s: floor %d to floor %d is neither down nor a sideways arrow of the page", to, own, target)
}

func (l *Law) beside(from, to string) bool {
	return slices.ContainsFunc(l.sideways, func(s line) bool {
		return matches(s.name, from) && s.holds(to)
	})
}

func (s line) holds(room string) bool {
	return slices.ContainsFunc(s.rooms, func(name string) bool { return matches(name, room) })
}

// material says what is wrong with a foreign import in production code, or "".
func (l *Law) material(room, imported string) string {
	if room == root {
		return fmt.Sprintf("imports %s: the language is made of the standard library alone", imported)
	}
	var law *line
	for i, m := range l.materials {
		if (imported == m.name || strings.HasPrefix(imported, m.name+"/")) && (law == nil || len(m.name) > len(law.name)) {
			law = &l.materials[i]
		}
	}
	if law == nil || law.holds(room) {
		return ""
	}
	return fmt.Sprintf("imports %s: only %s may", imported, strings.Join(law.rooms, ", "))
}

// atRoot tells whether an entry of the root directory is listed.
func (l *Law) atRoot(name string) bool {
	return slices.Contains(l.roots, name) || path.Ext(name) == ".go"
}
