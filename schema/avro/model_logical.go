package avro

import "math"

// logical is a logical type that Java knows and finds fit for the type that bears it. One that is
// not fit is a property like any other.
type logical struct {
	name             string
	precision, scale int64 // of a decimal
}

// bearers are the types that a logical type may stand on.
var bearers = map[string][]kind{
	"decimal": {kindBytes, kindFixed}, "big-decimal": {kindBytes}, "uuid": {kindString, kindFixed}, "duration": {kindFixed},
	"date": {kindInt}, "time-millis": {kindInt}, "time-micros": {kindLong},
	"timestamp-millis": {kindLong}, "timestamp-micros": {kindLong}, "timestamp-nanos": {kindLong},
	"local-timestamp-millis": {kindLong}, "local-timestamp-micros": {kindLong}, "local-timestamp-nanos": {kindLong},
}

func logicalOf(n *node) (logical, bool) {
	text, _ := propOf(n.props, "logicalType").str()
	fits := false
	for _, k := range bearers[text] {
		fits = fits || k == n.kind
	}
	switch {
	case !fits:
		return logical{}, false
	case n.kind == kindFixed && (text == "uuid" && n.size != 16 || text == "duration" && n.size != 12):
		return logical{}, false
	case text == "decimal":
		return decimalOf(n)
	}
	return logical{name: text}, true
}

func decimalOf(n *node) (logical, bool) {
	precision, ok := propOf(n.props, "precision").bits(32)
	scale := int64(0)
	if v := propOf(n.props, "scale"); ok && v != nil {
		scale, ok = v.bits(32)
	}
	if n.kind == kindFixed {
		// The digits that so many bytes hold with their sign.
		ok = ok && float64(precision) <= math.Floor(math.Log10(2)*float64(8*n.size-1))
	}
	return logical{"decimal", precision, scale}, ok && precision > 0 && scale >= 0 && scale <= precision
}
