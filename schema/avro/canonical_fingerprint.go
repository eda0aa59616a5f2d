package avro

import (
	"crypto/sha256"
	"strconv"
)

// ParsingForm is the specification's Parsing Canonical Form: what a reader of the data needs to know
// and nothing else. Schemas with one parsing form read and write the same bytes.
func (s *Schema) ParsingForm() string {
	w := parsingWriter{writer{seen: map[string]bool{}}}
	w.node(s.root)
	return string(w.dst)
}

// Fingerprint64 is the specification's 64-bit Rabin fingerprint (CRC-64-AVRO) of the parsing form.
func (s *Schema) Fingerprint64() uint64 { return rabin([]byte(s.ParsingForm())) }

// FingerprintSHA256 is the SHA-256 of the parsing form.
func (s *Schema) FingerprintSHA256() [sha256.Size]byte { return sha256.Sum256([]byte(s.ParsingForm())) }

const rabinEmpty = 0xc15d213aa4d7a795

var rabinTable = func() (table [256]uint64) {
	for i := range table {
		fp := uint64(i)
		for range 8 {
			fp = fp>>1 ^ rabinEmpty&-(fp&1)
		}
		table[i] = fp
	}
	return table
}()

func rabin(data []byte) uint64 {
	fp := uint64(rabinEmpty)
	for _, b := range data {
		fp = fp>>8 ^ rabinTable[byte(fp)^b]
	}
	return fp
}

type parsingWriter struct{ writer }

func (w *parsingWriter) node(n *node) {
	switch {
	case n.kind == kindUnion:
		w.list(len(n.branches), func(i int) { w.node(n.branches[i]) })
	case n.kind.primitive():
		w.string(n.kind.String())
	case n.kind == kindArray:
		w.raw(`{"type":"array","items":`)
		w.node(n.elem)
		w.raw("}")
	case n.kind == kindMap:
		w.raw(`{"type":"map","values":`)
		w.node(n.elem)
		w.raw("}")
	default:
		w.named(n)
	}
}

func (w *parsingWriter) named(n *node) {
	full := n.name.full()
	if w.seen[full] {
		w.string(full)
		return
	}
	w.seen[full] = true
	w.raw(`{"name":`)
	w.string(full)
	w.text("type", n.kind.String())
	switch n.kind {
	case kindEnum:
		w.strings("symbols", n.symbols)
	case kindFixed:
		w.key("size")
		w.raw(strconv.Itoa(n.size))
	default:
		w.key("fields")
		w.list(len(n.fields), func(i int) {
			w.raw(`{"name":`)
			w.string(n.fields[i].name)
			w.key("type")
			w.node(n.fields[i].typ)
			w.raw("}")
		})
	}
	w.raw("}")
}
