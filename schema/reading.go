package schema

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

var (
	unmarshalerType     = reflect.TypeFor[stdjson.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// reading is how JSON becomes values of one struct type: in one pass, member by member into their
// places. It takes what services write to each other, and gives up, for a complete reader to begin
// anew, on all that is rare: names in another case or twice, numbers that do not fit, text that is no
// UTF-8, faults.
type reading struct {
	read   readFunc
	lexers sync.Pool // *lexer
}

// readFunc reads the value at l.at into the zero value at p, and says whether it could.
type readFunc func(l *lexer, p unsafe.Pointer) bool

// newReading plans a type; nil: it is not one for this.
func newReading(t reflect.Type) *reading {
	if t.Kind() != reflect.Struct || readsItself(t) || recursive(t, nil, readsItself) {
		return nil
	}
	read := readerOfStruct(t)
	if read == nil {
		return nil
	}
	p := &reading{read: read}
	p.lexers.New = func() any { return new(lexer) }
	return p
}

// into reads data into v, a pointer to the zero value of the type. Where it can't, v is zero again.
func (p *reading) into(data []byte, v reflect.Value) bool {
	l := p.lexers.Get().(*lexer)
	l.data, l.at, l.depth = data, 0, 0
	ok := l.value() && p.read(l, v.UnsafePointer()) && l.ended()
	l.data = nil
	p.lexers.Put(l)
	if !ok {
		v.Elem().SetZero()
	}
	return ok
}

// readsItself says whether what t is made of does not matter.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(unmarshalerType) || p.Implements(textUnmarshalerType)
}

func readerOf(t reflect.Type) readFunc {
	switch {
	case t == timeType:
		return readTime
	case readsItself(t):
		return readByOther(t)
	}
	switch t.Kind() {
	case reflect.String:
		return readString
	case reflect.Bool:
		return readBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return readInt(t)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return readUint(t)
	case reflect.Float32, reflect.Float64:
		return readFloat(t.Bits())
	case reflect.Pointer:
		return readPointer(t)
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // text in base 64
			return readSlice(t)
		}
	case reflect.Struct:
		if read := readerOfStruct(t); read != nil {
			return read
		}
	}
	return readByOther(t)
}

// member is a place of a struct and how it is read.
type member struct {
	name   string
	offset uintptr
	read   readFunc
}

// maxMembers is how many members the bits of a word can tell apart.
const maxMembers = 64

// readerOfStruct is nil for a struct with what is rare: embedding, the option string, two members of a
// name but for its case.
func readerOfStruct(t reflect.Type) readFunc {
	var members []member
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous {
			return nil
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = f.Name
		}
		for option := range strings.SplitSeq(options, ",") {
			if option == "string" {
				return nil
			}
		}
		for _, other := range members {
			if strings.EqualFold(other.name, name) {
				return nil
			}
		}
		members = append(members, member{name, f.Offset, readerOf(f.Type)})
	}
	if len(members) > maxMembers {
		return nil
	}
	return func(l *lexer, p unsafe.Pointer) bool { return l.object(members, p) }
}

// object reads members in any order, fastest in the struct's own.
func (l *lexer) object(members []member, p unsafe.Pointer) bool {
	if !l.enter('{') {
		return l.null()
	}
	var seen uint64
	likely := 0
	for first := true; ; first = false {
		more, ok := l.more(first, '}')
		if !ok || !more {
			return ok
		}
		name, ok := l.name()
		if !ok {
			return false
		}
		i := likely
		if i >= len(members) || string(name) != members[i].name {
			if i, ok = find(members, name); !ok {
				return false
			}
		}
		if !l.value() {
			return false
		}
		if i < 0 {
			if !l.skip() {
				return false
			}
			continue
		}
		if seen&(1<<i) != 0 { // the last one counts, and what that means for the first is left to others
			return false
		}
		seen |= 1 << i
		if m := &members[i]; !m.read(l, unsafe.Add(p, m.offset)) {
			return false
		}
		likely = i + 1
	}
}

// find is the member of a name, -1 where there is none, and not ok where there is one in another case.
func find(members []member, name []byte) (i int, ok bool) {
	for i := range members {
		if string(name) == members[i].name {
			return i, true
		}
	}
	for i := range members {
		if strings.EqualFold(string(name), members[i].name) {
			return 0, false
		}
	}
	return -1, true
}

func readString(l *lexer, p unsafe.Pointer) bool {
	if l.data[l.at] != '"' {
		return l.null()
	}
	text, ok := l.text()
	if ok {
		*(*string)(p) = l.keep(text)
	}
	return ok
}

func readBool(l *lexer, p unsafe.Pointer) bool {
	switch {
	case l.word("true"):
		*(*bool)(p) = true
		return true
	case l.word("false"):
		return true
	}
	return l.null()
}

func readInt(t reflect.Type) readFunc {
	size, limit := t.Size(), uint64(1)<<(t.Bits()-1)
	return func(l *lexer, p unsafe.Pointer) bool {
		minus := l.data[l.at] == '-'
		if minus {
			l.at++
		}
		n, ok := l.digits()
		if !ok {
			return !minus && l.null()
		}
		if n > limit || n == limit && !minus {
			return false
		}
		i := int64(n)
		if minus {
			i = -i
		}
		switch size {
		case 1:
			*(*int8)(p) = int8(i)
		case 2:
			*(*int16)(p) = int16(i)
		case 4:
			*(*int32)(p) = int32(i)
		default:
			*(*int64)(p) = i
		}
		return true
	}
}

func readUint(t reflect.Type) readFunc {
	size, limit := t.Size(), ^uint64(0)>>(64-t.Bits())
	return func(l *lexer, p unsafe.Pointer) bool {
		n, ok := l.digits()
		if !ok {
			return l.null()
		}
		if n > limit {
			return false
		}
		switch size {
		case 1:
			*(*uint8)(p) = uint8(n)
		case 2:
			*(*uint16)(p) = uint16(n)
		case 4:
			*(*uint32)(p) = uint32(n)
		default:
			*(*uint64)(p) = n
		}
		return true
	}
}

func readFloat(size int) readFunc {
	return func(l *lexer, p unsafe.Pointer) bool {
		from := l.at
		if l.data[from] == 'n' {
			return l.null()
		}
		if !l.number() {
			return false
		}
		f, err := strconv.ParseFloat(string(l.data[from:l.at]), size)
		if size == 32 {
			*(*float32)(p) = float32(f)
		} else {
			*(*float64)(p) = f
		}
		return err == nil
	}
}

func readTime(l *lexer, p unsafe.Pointer) bool {
	from := l.at
	return l.skip() && (*time.Time)(p).UnmarshalJSON(l.data[from:l.at]) == nil
}

// readByOther leaves one part to the complete reader.
func readByOther(t reflect.Type) readFunc {
	return func(l *lexer, p unsafe.Pointer) bool {
		from := l.at
		return l.skip() && jsonv1.Unmarshal(l.data[from:l.at], reflect.NewAt(t, p).Interface()) == nil
	}
}

func readPointer(t reflect.Type) readFunc {
	elem, read := t.Elem(), readerOf(t.Elem())
	return func(l *lexer, p unsafe.Pointer) bool {
		if l.data[l.at] == 'n' {
			return l.null()
		}
		to := reflect.New(elem).UnsafePointer()
		*(*unsafe.Pointer)(p) = to
		return read(l, to)
	}
}

// slice is what a Go slice is in memory.
type slice struct {
	first    unsafe.Pointer
	len, cap int
}

func readSlice(t reflect.Type) readFunc {
	elem, read := t.Elem(), readerOf(t.Elem())
	few, none := reflect.ArrayOf(4, elem), reflect.ArrayOf(0, elem)
	return func(l *lexer, p unsafe.Pointer) bool {
		if !l.enter('[') {
			return l.null()
		}
		s := (*slice)(p)
		for first := true; ; first = false {
			more, ok := l.more(first, ']')
			if !ok {
				return false
			}
			if !more {
				if first {
					s.first = reflect.New(none).UnsafePointer() // empty, and not nil
				}
				return true
			}
			switch s.len {
			case 0:
				s.first, s.cap = reflect.New(few).UnsafePointer(), 4
			case s.cap:
				s.grow(elem)
			}
			s.len++
			if !l.value() || !read(l, unsafe.Add(s.first, uintptr(s.len-1)*elem.Size())) {
				return false
			}
		}
	}
}

func (s *slice) grow(elem reflect.Type) {
	larger := reflect.New(reflect.ArrayOf(2*s.cap, elem))
	reflect.Copy(larger.Elem(), reflect.NewAt(reflect.ArrayOf(s.cap, elem), s.first).Elem())
	s.first, s.cap = larger.UnsafePointer(), 2*s.cap
}
