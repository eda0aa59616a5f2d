package park

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/leatdev/leat"
)

// HeaderPark is the header that tells what a record of a park partition says. It is the last header
// of its record: what stands before it is the event's own (Park, Redrive, Stage) or the story of its
// dead letter (Dead).
const HeaderPark = "leat-park"

// Errors of [Parse] and [ParseMeta].
var (
	// ErrForeign says that a record, or the metadata of a commit, is not of this package: to be
	// passed over.
	ErrForeign = errors.New("not a record of the parking protocol")
	// ErrMalformed says that it claims to be and can't be read, be it broken or of a newer version:
	// passing over it could lose a decision, so its partition has to stop.
	ErrMalformed = errors.New("malformed record of the parking protocol")
)

// maxHeader bounds what Parse looks at.
const maxHeader = 4 << 10

// Header is the last header of the record; its key is r.Key.Bytes().
func (r Record) Header() leat.Header {
	b := make([]byte, 0, 96)
	b = append(b, "1 "...)
	b = append(b, r.Kind.String()...)
	number := func(name string, n int64) {
		b = append(b, ' ')
		b = append(b, name...)
		b = append(b, '=')
		b = strconv.AppendInt(b, n, 10)
	}
	some := func(name string, n int64) {
		if n != 0 {
			number(name, n)
		}
	}
	some("epoch", r.Epoch)
	switch {
	case r.Key.lone != 0: // without it the key would be lost
		number("offset", r.Key.lone-1)
	case r.Kind.event():
		number("offset", r.Offset)
	}
	some("round", int64(r.Round))
	some("hold", r.Hold)
	some("count", int64(r.Count))
	if r.Holds {
		number("holds", 1)
	}
	if r.Behind {
		number("behind", 1)
	}
	some("attempts", int64(r.Past.Attempts))
	some("first", r.Past.First)
	some("last", r.Past.Last)
	if r.Reason != "" {
		b = append(b, " reason="...)
		b = append(b, r.Reason...)
	}
	return leat.Header{Key: HeaderPark, Value: b}
}

// Parse reads what a record of a park partition says. Its error is [ErrForeign] or [ErrMalformed].
func Parse(key []byte, headers []leat.Header) (Record, error) {
	if len(headers) == 0 || headers[len(headers)-1].Key != HeaderPark {
		return Record{}, fmt.Errorf("%w: the last header is not %s", ErrForeign, HeaderPark)
	}
	value := headers[len(headers)-1].Value
	if len(value) > maxHeader {
		return Record{}, fmt.Errorf("%w: header of %d bytes", ErrMalformed, len(value))
	}
	text := string(value)
	r, err := parse(text, key)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %q: %w", ErrMalformed, text, err)
	}
	return r, nil
}

func parse(text string, key []byte) (r Record, err error) {
	version, rest, _ := strings.Cut(text, " ")
	if version != "1" {
		return r, errors.New("unknown version: a newer program may have written it; run that one")
	}
	word, rest, more := strings.Cut(rest, " ")
	for k, name := range kindNames {
		if k > 0 && name == word {
			r.Kind = Kind(k)
		}
	}
	if r.Kind == 0 {
		return r, errors.New("unknown kind")
	}
	for more {
		var field string
		if reason, is := strings.CutPrefix(rest, "reason="); is {
			r.Reason = reason
			break
		}
		field, rest, more = strings.Cut(rest, " ")
		name, digits, _ := strings.Cut(field, "=")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 {
			return r, fmt.Errorf("field %q", field)
		}
		if err := r.set(name, n); err != nil {
			return r, err
		}
	}
	if r.Kind != Mark {
		r.Key = KeyOf(key, r.Offset)
	}
	return r, r.check(text)
}

// set takes one field from the wire.
func (r *Record) set(name string, n int64) error {
	small := n <= math.MaxInt32
	switch name {
	case "epoch":
		r.Epoch = n
	case "offset":
		r.Offset = n
	case "hold":
		r.Hold = n
	case "first":
		r.Past.First = n
	case "last":
		r.Past.Last = n
	case "round":
		r.Round = int32(n)
	case "count":
		r.Count = int(n)
	case "attempts":
		r.Past.Attempts = int32(n)
	case "holds":
		r.Holds = n == 1
	case "behind":
		r.Behind = n == 1
	default:
		return fmt.Errorf("unknown field %q", name)
	}
	if !small && (name == "round" || name == "count" || name == "attempts") {
		return fmt.Errorf("field %s is too large", name)
	}
	return nil
}

// check refuses what no writer writes: a text that the record would not be written as again, too.
func (r *Record) check(text string) error {
	switch {
	case r.Offset == math.MaxInt64 || r.Hold == math.MaxInt64 || r.Epoch == math.MaxInt64:
		return errors.New("a number is too large")
	case r.Kind.Owned() != (r.Epoch > 0):
		return errors.New("an owner's record needs an epoch, the tool's has none")
	case (r.Kind == Stage || r.Kind == Release) && (r.Hold == 0 || r.Holds):
		return errors.New("needs the number of the hold")
	case (r.Kind == Redrive || r.Kind == Stage) && r.Round == 0:
		return errors.New("needs a round")
	case r.Kind == Dead && r.Hold != 0 && r.Holds:
		return errors.New("a blocked event begins no hold")
	case string(r.Header().Value) != text:
		return errors.New("not as it would be written")
	}
	return nil
}
