package protobuf

// file is a .proto file as it is written: names stay as they stand, options in their order, so that
// it can be printed again. Comments are not kept.
type file struct {
	syntax   string // "", "proto2", "proto3"
	edition  string // "2023"; "" without one
	pkg      string
	imports  []string
	publics  []string
	options  []option
	messages []*message
	enums    []*enum
	extends  []extend
	services []service
}

type message struct {
	name       string
	reserved   []ranges
	options    []option
	fields     []field
	oneofs     []oneof
	groups     []group
	extensions []ranges
	extends    []extend
	messages   []*message
	enums      []*enum
}

// mapEntry tells whether the message stands for the entries of a map, as descriptors spell maps out.
func (m *message) mapEntry() bool {
	for _, o := range m.options {
		if o.name == "map_entry" && !o.paren && o.value.text == "true" {
			return true
		}
	}
	return false
}

type field struct {
	label   string // "", "optional", "required", "repeated"
	key     string // of a map: the type of its keys; typ is that of its values
	typ     string
	name    string
	number  int64
	options []option
}

type oneof struct {
	name    string
	options []option
	fields  []field
	groups  []group
}

type group struct {
	label   string
	number  int64
	options []option
	body    *message
}

type enum struct {
	name     string
	reserved []ranges
	options  []option
	values   []enumValue
}

type enumValue struct {
	name    string
	number  int64
	options []option
}

type extend struct {
	name   string
	fields []field
	groups []group
}

type service struct {
	name    string
	options []option
	methods []method
}

type method struct {
	name         string
	in, out      string
	inStr, outSt bool // the request, the response is a stream
	options      []option
}

// ranges is one declaration "reserved" or "extensions".
type ranges struct {
	spans   []span
	options []option // of extensions
}

// span is a name, a number, or numbers from first to last.
type span struct {
	name        string
	first, last int64
	single      bool // written without "to"
}

// maxNumber is the highest number of a field, "max" in a range of a message.
const maxNumber = 1<<29 - 1

type option struct {
	name  string
	paren bool   // the name of an extension, in parentheses
	path  string // what follows the name, for example ".doc" or ".(a.b).c"
	value value
}

// special is 0 but for what stands among a field's options without being one.
func (o option) special() int {
	switch {
	case o.paren || o.path != "":
		return 0
	case o.name == "default":
		return 1
	case o.name == "json_name":
		return 2
	}
	return 0
}

// valueKind is what an option's value is in the text.
type valueKind int

const (
	valueString valueKind = iota
	valueWord             // true, false, the name of an enum's value
	valueNumber
	valueMap
	valueList
)

type value struct {
	kind    valueKind
	text    string
	entries []entry // of a map, each key once
	list    []value
}

type entry struct {
	key   string
	value value
}

// put adds a value to a map; a second one under the same key makes a list.
func put(entries []entry, key string, v value) []entry {
	for i := range entries {
		if entries[i].key != key {
			continue
		}
		old := entries[i].value
		if old.kind != valueList {
			old = value{kind: valueList, list: []value{old}}
		}
		if v.kind == valueList {
			old.list = append(old.list, v.list...)
		} else {
			old.list = append(old.list, v)
		}
		entries[i].value = old
		return entries
	}
	return append(entries, entry{key, v})
}
