package gen

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/leatdev/leat/schema"
)

// schemaPath is where decimals come from.
const schemaPath = "github.com/leatdev/leat/schema"

// plainTypes are the primitive types without a logical one.
var plainTypes = map[string]string{
	"boolean": "bool", "int": "int32", "long": "int64", "float": "float32", "double": "float64", "bytes": "[]byte", "string": "string",
}

// primitive is a type by its word; d is the object that it stands in, nil without one.
func (a *avroReader) primitive(word string, d *doc, p avroPlace) (*avroType, error) {
	if word == "null" {
		return nil, faultAt(p.path, "null alone is nothing that a Go field can hold: take the field away, or make it a union")
	}
	t := &avroType{kind: word, goType: plainTypes[word]}
	if t.goType == "" {
		return nil, faultAt(p.path, "there is no type %q", word)
	}
	logical := ""
	if d != nil {
		logical = d.get("logicalType").str()
	}
	switch _, _, isDecimal := decimalOf(d); {
	case isDecimal:
		return a.decimal(d, p), nil
	case logical == "uuid" && word == "string":
		a.properties(d, "a uuid", "type", "logicalType")
		t.goType, t.zero, t.logical = a.uuidType(), a.uuidType()+"{}", logical
		return t, nil
	case isTime(word, logical):
		a.properties(d, "a "+logical, "type", "logicalType")
		t.goType, t.logical = a.use("time", "Time"), logical
		t.zero = t.goType + "{}"
		if logical != "timestamp-micros" {
			a.tag(p, "logical", logical)
		} else if p.tags != nil && p.tags.get("logical") != "" {
			a.lose("several logical types in one field, at %s", p.path)
		}
		return t, nil
	case word == "int" && logical == "time-millis" || word == "long" && logical == "time-micros":
		a.lose("times of a day")
		t.goType, t.logical = a.use("time", "Duration"), logical
	case d != nil:
		a.properties(d, "a "+word, "type")
	}
	t.zero = t.goType + "(0)"
	switch word {
	case "boolean":
		t.zero = "false"
	case "bytes":
		t.zero = "[]byte(nil)"
	case "string":
		t.zero = `""`
	}
	return t, nil
}

func isTime(word, logical string) bool {
	if logical == "date" {
		return word == "int"
	}
	kind, unit, _ := strings.Cut(strings.TrimPrefix(logical, "local-"), "-")
	return word == "long" && kind == "timestamp" && slices.Contains([]string{"millis", "micros", "nanos"}, unit)
}

// tag says on the field what its Go type leaves open. A field has one tag of a name.
func (a *avroReader) tag(p avroPlace, name, value string) {
	switch {
	case p.tags == nil:
		a.lose("logical types at %s", p.path)
	case p.tags.get(name) == "":
		p.tags.add(name, value)
	case p.tags.get(name) != value:
		a.lose("several logical types in one field, at %s", p.path)
	}
}

// decimalOf reads precision and scale; ok is false of what is no decimal, or one that no Decimal holds.
func decimalOf(d *doc) (precision, scale int, ok bool) {
	if d.get("logicalType").str() != "decimal" {
		return 0, 0, false
	}
	word := d.get("type").str()
	if word != "bytes" && word != "fixed" {
		return 0, 0, false
	}
	if v := d.get("precision"); v != nil {
		precision, _ = strconv.Atoi(v.raw)
	}
	if v := d.get("scale"); v != nil {
		var err error
		if scale, err = strconv.Atoi(v.raw); err != nil {
			return 0, 0, false
		}
	}
	if word == "fixed" {
		size, _ := strconv.Atoi(d.get("size").raw)
		if float64(precision) > math.Floor(math.Log10(2)*float64(8*size-1)) {
			return 0, 0, false
		}
	}
	return precision, scale, precision > 0 && precision <= 1000 && scale >= 0 && scale <= precision
}

func (a *avroReader) decimal(d *doc, p avroPlace) *avroType {
	var order []string
	for _, m := range d.members {
		order = append(order, m.name)
	}
	if !slices.Equal(order, []string{"type", "logicalType", "precision", "scale"}) {
		a.lose("how a decimal is written down")
	}
	digits, scale, _ := decimalOf(d)
	return a.decimalAgain(&avroType{kind: "bytes", logical: "decimal", digits: digits, scale: scale}, p)
}

// decimalAgain is a decimal where it is used: with a tag on the field, or within a union a type of its own.
func (a *avroReader) decimalAgain(t *avroType, p avroPlace) *avroType {
	used := *t
	used.goType = a.use(schemaPath, "Decimal")
	if p.tags != nil {
		a.tag(p, "decimal", fmt.Sprintf("%d,%d", t.digits, t.scale))
		return &used
	}
	d := a.declare(p.label+"Decimal", "")
	d.doc = fmt.Sprintf("%s is a decimal of %d digits, %d of them behind the point.", d.name, t.digits, t.scale)
	d.body.WriteString("struct{ " + used.goType + " }")
	d.method("// DecimalSize is how many digits there are, and how many of them behind the point.\nfunc (%s) DecimalSize() (precision, scale int) { return %d, %d }", d.name, t.digits, t.scale)
	used.goType, used.zero = d.name, d.name+"{}"
	return &used
}

// fallback says a field's default in its tag.
func (a *avroReader) fallback(t *avroType, v *doc, where string, to *tags) {
	if t.null {
		if v.kind != 'n' {
			a.lose("the default of %s", where)
		}
		return
	}
	if t.some != nil {
		t = &avroType{kind: t.some.kind, logical: t.some.logical, scale: t.some.scale, pointer: t.pointer}
	}
	text := v.raw
	switch {
	case v.kind == 'n':
		return // of an interface whose null comes first
	case t.logical == "decimal":
		var ok bool
		if text, ok = decimalText(v.text, t.scale); !ok {
			a.lose("the default of %s", where)
			return
		}
	case t.kind == "string" || t.kind == "enum":
		text = v.text
	case t.kind == "bytes" || t.kind == "fixed":
		var data []byte
		for _, r := range v.text {
			if r > unicode.MaxLatin1 {
				a.lose("the default of %s", where)
				return
			}
			data = append(data, byte(r))
		}
		text = string(data)
	}
	if t.pointer && text == "null" {
		a.lose("the default of %s", where)
		return
	}
	to.add("default", text)
}

// decimalText is the number that the default of a decimal means; ok is false where it is not written
// the short way.
func decimalText(bytes string, scale int) (text string, ok bool) {
	var data []byte
	for _, r := range bytes {
		if r > unicode.MaxLatin1 {
			return "", false
		}
		data = append(data, byte(r))
	}
	n := len(data)
	if n == 0 || n > 1 && (data[0] == 0 && data[1] < 0x80 || data[0] == 0xff && data[1] >= 0x80) {
		return "", false
	}
	i := new(big.Int).SetBytes(data)
	if data[0] >= 0x80 {
		i.Sub(i, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	digits := new(big.Int).Abs(i).String()
	if scale > 0 {
		if short := scale + 1 - len(digits); short > 0 {
			digits = strings.Repeat("0", short) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if i.Sign() < 0 {
		digits = "-" + digits
	}
	_, err := schema.ParseDecimal(digits)
	return digits, err == nil
}

// uuidType declares the type of UUIDs when the first is met.
func (a *avroReader) uuidType() string {
	if a.uuid != "" {
		return a.uuid
	}
	d := a.declare("UUID", "")
	a.uuid = d.name
	d.doc = d.name + " is a UUID (RFC 9562): its text has 36 characters."
	d.body.WriteString("[16]byte")
	hex, errs := a.use("encoding/hex", "EncodeToString"), a.use("fmt", "Errorf")
	d.method(`// MarshalText writes the UUID with its hyphens.
func (u %[1]s) MarshalText() ([]byte, error) {
	h := %[2]s(u[:])
	return []byte(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]), nil
}

// UnmarshalText reads what MarshalText writes.
func (u *%[1]s) UnmarshalText(text []byte) error {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return %[3]s("%%q is no UUID", text)
	}
	digits := append(append(append(append(append([]byte(nil), text[:8]...), text[9:13]...), text[14:18]...), text[19:23]...), text[24:]...)
	if _, err := hex.Decode(u[:], digits); err != nil {
		return %[3]s("%%q is no UUID: %%w", text, err)
	}
	return nil
}

// String is the text of the UUID.
func (u %[1]s) String() string {
	text, _ := u.MarshalText()
	return string(text)
}`, d.name, hex, errs)
	return a.uuid
}
