package avro

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

func prop(name, text string) member { return member{name, &value{kind: '"', text: text}} }

func number(name string, n int) member {
	return member{name, &value{kind: '0', text: strconv.Itoa(n), whole: true}}
}

func (d *deriver) scalar(t reflect.Type, sh shape, s spot) (*node, error) {
	if s.tag.Get("decimal") != "" || sh == shapeDecimal {
		return d.decimal(t, sh, s)
	}
	switch sh {
	case shapeBool:
		return &node{kind: kindBoolean}, nil
	case shapeInt:
		if t.Bits() <= 32 && t.Kind() != reflect.Int {
			return &node{kind: kindInt}, nil
		}
		return &node{kind: kindLong}, nil
	case shapeUint:
		switch {
		case t.Kind() == reflect.Uint || t.Bits() == 64:
			return nil, s.fault("%s holds more than Avro's long: use int64, or schema.Decimal with the tag `decimal:\"20,0\"`", t)
		case t.Bits() == 32:
			return &node{kind: kindLong}, nil
		}
		return &node{kind: kindInt}, nil
	case shapeFloat:
		if t.Bits() == 32 {
			return &node{kind: kindFloat}, nil
		}
		return &node{kind: kindDouble}, nil
	case shapeString, shapeText:
		return &node{kind: kindString}, nil
	case shapeBytes:
		return &node{kind: kindBytes}, nil
	case shapeUUID:
		return &node{kind: kindString, props: []member{prop("logicalType", "uuid")}}, nil
	case shapeDuration:
		return &node{kind: kindLong}, nil
	case shapeTime:
		return d.time(s)
	}
	hint := "Avro has nothing like it: leave it out with `json:\"-\"` or use another type"
	switch t.Kind() {
	case reflect.Map:
		hint = "the keys of Avro's maps are strings: use map[string]" + t.Elem().String()
	case reflect.Complex64, reflect.Complex128:
		hint = "use a struct of two float64"
	}
	return nil, s.fault("%s: %s", t, hint)
}

// time is a point in time to the microsecond, unless the tag logical names another unit.
func (d *deriver) time(s spot) (*node, error) {
	unit := s.tag.Get("logical")
	if unit == "" {
		unit = "timestamp-micros"
	}
	n := &node{kind: kindLong, props: []member{prop("logicalType", unit)}}
	if unit == "date" {
		n.kind = kindInt
	}
	if _, ok := times[unit]; !ok {
		return nil, s.fault("logical:%q is no way to write a time: take date, or timestamp- or local-timestamp- with millis, micros or nanos", unit)
	}
	return n, nil
}

func (d *deriver) decimal(t reflect.Type, sh shape, s spot) (*node, error) {
	if sh != shapeDecimal {
		return nil, s.fault("the tag decimal is for schema.Decimal, not for %s", t)
	}
	var precision, scale int
	if tag := s.tag.Get("decimal"); tag != "" {
		p, rest, _ := strings.Cut(tag, ",")
		var err, err2 error
		precision, err = strconv.Atoi(strings.TrimSpace(p))
		if rest != "" {
			scale, err2 = strconv.Atoi(strings.TrimSpace(rest))
		}
		if err != nil || err2 != nil {
			return nil, s.fault("decimal:%q: say precision and scale, for example `decimal:\"10,2\"`", tag)
		}
	} else if word, ok := says[sized](t); ok {
		precision, scale = word.DecimalSize()
	} else {
		return nil, s.fault("say how many digits the decimal has, and how many of them behind the point: `decimal:\"10,2\"`, or a method DecimalSize() (precision, scale int) on a struct that embeds schema.Decimal")
	}
	if precision < 1 || scale < 0 || scale > precision || precision > maxPrecision {
		return nil, s.fault("a decimal of %d digits, %d of them behind the point: from 1 to %d, and no more behind the point than there are", precision, scale, maxPrecision)
	}
	return &node{kind: kindBytes, props: []member{prop("logicalType", "decimal"), number("precision", precision), number("scale", scale)}}, nil
}

// maxPrecision is what schema.Decimal holds.
const maxPrecision = 1000

func (d *deriver) enum(t reflect.Type, s spot) (*node, error) {
	if n := d.done[t]; n != nil {
		return n, nil
	}
	word, _ := says[symbols](t)
	n := &node{kind: kindEnum, name: d.called(t, s), symbols: word.Symbols()}
	if len(n.symbols) == 0 {
		return nil, s.fault("%s.Symbols is empty", t)
	}
	seen := map[string]bool{}
	for _, symbol := range n.symbols {
		if plainName(symbol) != symbol || seen[symbol] {
			return nil, s.fault("%s.Symbols: %q is no symbol of its own in Avro (letters, digits and underscores, each once)", t, symbol)
		}
		seen[symbol] = true
	}
	if f, ok := says[fallbacks](t); ok {
		if n.symbol = f.DefaultSymbol(); !seen[n.symbol] {
			return nil, s.fault("%s.DefaultSymbol is %q, which is none of its Symbols", t, n.symbol)
		}
	}
	d.done[t] = n
	return n, d.take(t, n.name.full(), s)
}

func (d *deriver) fixed(t reflect.Type, s spot) (*node, error) {
	if n := d.done[t]; n != nil {
		return n, nil
	}
	n := &node{kind: kindFixed, name: d.called(t, s), size: t.Len()}
	if t.Name() == "" {
		n.name = name{d.space, fmt.Sprintf("Bytes%d", t.Len())}
	}
	d.done[t] = n
	return n, d.take(t, n.name.full(), s)
}
