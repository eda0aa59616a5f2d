package schema

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// lexer walks over JSON once. Its methods say whether what they want is there.
type lexer struct {
	data  []byte
	at    int
	depth int
	known [256]string // texts that came before, by a hash: many come again
}

// maxReadDepth is how deep values may lie in each other; the standard library takes more.
const maxReadDepth = 200

// value goes to the next value.
func (l *lexer) value() bool {
	for ; l.at < len(l.data); l.at++ {
		if c := l.data[l.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return true
		}
	}
	return false
}

// ended says whether nothing but space is left.
func (l *lexer) ended() bool { return !l.value() }

func (l *lexer) enter(open byte) bool {
	if l.data[l.at] != open || l.depth == maxReadDepth {
		return false
	}
	l.depth++
	l.at++
	return true
}

// more goes to the next thing in an object or a list, or behind its end.
func (l *lexer) more(first bool, end byte) (more, ok bool) {
	if !l.value() {
		return false, false
	}
	c := l.data[l.at]
	switch {
	case c == end:
		l.at++
		l.depth--
		return false, true
	case first:
		return true, true
	case c != ',':
		return false, false
	}
	l.at++
	return true, l.value() && l.data[l.at] != end
}

// name reads a member's name and the colon behind it. Escapes are left to others.
func (l *lexer) name() ([]byte, bool) {
	if l.data[l.at] != '"' {
		return nil, false
	}
	from := l.at + 1
	end, plain := l.quoteAfter(from)
	if end < 0 || !plain {
		return nil, false
	}
	l.at = end + 1
	if !l.value() || l.data[l.at] != ':' {
		return nil, false
	}
	l.at++
	return l.data[from:end], true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has a high bit for each byte of the word that is a quote, a backslash, a control character
// or no ASCII; behind the lowest of them there may be others.
func special(w uint64) uint64 {
	quote, slash := w^('"'*ones), w^('\\'*ones)
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w - ' '*ones) | w) & highs
}

// quoteAfter finds the end of a text that begins at from, -1 where there is none. It is plain where it
// has neither escapes nor bytes beyond ASCII.
func (l *lexer) quoteAfter(from int) (end int, plain bool) {
	plain = true
	for i := from; i < len(l.data); i++ {
		for i+8 <= len(l.data) {
			w := binary.LittleEndian.Uint64(l.data[i:])
			s := special(w)
			if s == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(s) / 8
			break
		}
		if i >= len(l.data) {
			return -1, false
		}
		switch c := l.data[i]; {
		case c == '"':
			return i, plain
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			return -1, false
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return -1, false
}

// text reads a text. What it returns is good until the next is read.
func (l *lexer) text() ([]byte, bool) {
	from := l.at + 1
	end, plain := l.quoteAfter(from)
	if end < 0 {
		return nil, false
	}
	l.at = end + 1
	if plain {
		return l.data[from:end], true
	}
	return unescape(l.data[from:end])
}

// unescape resolves the escapes of a text; those that stand for half a character are left to others.
func unescape(text []byte) ([]byte, bool) {
	if !utf8.Valid(text) {
		return nil, false
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++ // there is one: the quote behind a lone backslash would not have ended the text
		switch c := text[i]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b', 'f', 'n', 'r', 't':
			out = append(out, map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c])
		case 'u':
			if i+4 >= len(text) {
				return nil, false
			}
			n, err := strconv.ParseUint(string(text[i+1:i+5]), 16, 16)
			if err != nil || n >= 0xd800 && n < 0xe000 {
				return nil, false
			}
			out = utf8.AppendRune(out, rune(n))
			i += 4
		default:
			return nil, false
		}
	}
	return out, true
}

// longestKnown is how long a text may be to be looked for among those that came before.
const longestKnown = 40

// keep is the text as a string.
func (l *lexer) keep(text []byte) string {
	n := len(text)
	if n == 0 || n > longestKnown {
		return string(text)
	}
	h := uint32(n)*0x9e3779b1 ^ uint32(text[0])*31 ^ uint32(text[n-1])*0x85ebca6b ^ uint32(text[n/2])*0xc2b2ae35
	known := &l.known[(h>>16^h)&255]
	if *known != string(text) {
		*known = string(text)
	}
	return *known
}

func (l *lexer) word(w string) bool {
	if len(l.data)-l.at < len(w) || string(l.data[l.at:l.at+len(w)]) != w {
		return false
	}
	l.at += len(w)
	return true
}

// null reads the word that leaves its place as it is.
func (l *lexer) null() bool { return l.word("null") }

// digits reads a whole number without its sign.
func (l *lexer) digits() (n uint64, ok bool) {
	from := l.at
	for ; l.at < len(l.data) && l.data[l.at]-'0' <= 9; l.at++ {
		n = n*10 + uint64(l.data[l.at]-'0')
	}
	long := l.at - from
	if long == 0 || long > 1 && l.data[from] == '0' || long > 19 { // 19 digits fit
		l.at = from
		return 0, false
	}
	if l.at < len(l.data) {
		if c := l.data[l.at]; c == '.' || c|0x20 == 'e' {
			return 0, false
		}
	}
	return n, true
}

// number goes behind a number.
func (l *lexer) number() bool {
	l.oneOf("-")
	switch {
	case l.oneOf("0"):
	case !l.some():
		return false
	}
	if l.oneOf(".") && !l.some() {
		return false
	}
	if l.oneOf("eE") {
		l.oneOf("+-")
		return l.some()
	}
	return true
}

func (l *lexer) oneOf(set string) bool {
	ok := l.at < len(l.data) && strings.IndexByte(set, l.data[l.at]) >= 0
	if ok {
		l.at++
	}
	return ok
}

// some goes behind at least one digit.
func (l *lexer) some() bool {
	from := l.at
	for l.at < len(l.data) && l.data[l.at]-'0' <= 9 {
		l.at++
	}
	return l.at > from
}

// skip goes behind a value of any kind.
func (l *lexer) skip() bool {
	switch l.data[l.at] {
	case '"':
		_, ok := l.text()
		return ok
	case '{':
		return l.skipAll('{', '}')
	case '[':
		return l.skipAll('[', ']')
	case 't':
		return l.word("true")
	case 'f':
		return l.word("false")
	case 'n':
		return l.null()
	}
	return l.number()
}

func (l *lexer) skipAll(open, end byte) bool {
	if !l.enter(open) {
		return false
	}
	for first := true; ; first = false {
		more, ok := l.more(first, end)
		if !ok || !more {
			return ok
		}
		if open == '{' {
			if _, ok := l.name(); !ok || !l.value() {
				return false
			}
		}
		if !l.skip() {
			return false
		}
	}
}
