package redrive

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
)

// HeaderEdited is a header of a redriven event whose payload is not that of its source: where the
// letter lies that was edited, as topic/partition@offset.
const HeaderEdited = "leat-edited"

// Errors of an edit.
var (
	// ErrUneditable says that a payload is not JSON in its record: somebody has to send another event.
	ErrUneditable = errors.New("the payload can't be edited: send an event that is right instead (leat send), and discard the letter (leat dlq discard)")
	// ErrChanged says that the letter is not the one any more that was edited.
	ErrChanged = errors.New("the letter that was edited is not open any more, or a newer one came: look at it again (leat dlq show)")
)

// Edit is a payload that goes back in place of the one of a letter.
type Edit struct {
	Of    leat.Position // [Letter.At] of the letter
	Value []byte
}

// Edit applies a patch to the payload: a JSON array is a JSON Patch (RFC 6902), an object a JSON Merge
// Patch (RFC 7396). The letter stays as it is.
func (l *Letter) Edit(patch []byte) (Edit, error) {
	if slices.ContainsFunc(l.Headers, func(h leat.Header) bool { return h.Key == blob.HeaderName }) {
		return Edit{}, fmt.Errorf("%w: it lies in the store of payloads", ErrUneditable)
	}
	if !json.Valid(l.Value) {
		return Edit{}, fmt.Errorf("%w: it is not JSON", ErrUneditable)
	}
	value, err := apply(bytes.TrimSpace(patch), l.Value)
	if err != nil {
		return Edit{}, fmt.Errorf("patch the payload: %w", err)
	}
	return Edit{Of: l.At, Value: value}, nil
}

func apply(patch, value []byte) ([]byte, error) {
	switch {
	case !json.Valid(patch):
	case patch[0] == '{':
		return jsonpatch.MergePatch(value, patch)
	case patch[0] == '[':
		steps, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, err
		}
		return steps.Apply(value)
	}
	return nil, errors.New("want a JSON array (RFC 6902) or a JSON object (RFC 7396)")
}

// digest is what a note says of the payload; "" where there is no edit of the letter.
func (e *Edit) digest(l *Letter) string {
	if e == nil || e.Of != l.At {
		return ""
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(e.Value))
}

// event is the payload and the headers that go back.
func (e *Edit) event(l *Letter) ([]byte, []leat.Header) {
	if e == nil || e.Of != l.At {
		return l.Value, slices.Clip(l.Headers)
	}
	headers := slices.DeleteFunc(slices.Clone(l.Headers), func(h leat.Header) bool { return h.Key == HeaderEdited })
	return e.Value, append(headers, leat.Header{Key: HeaderEdited, Value: []byte(e.Of.String())})
}

// fits says whether the letters are the one of the edit, if there is an edit.
func (e *Edit) fits(letters []*Letter) error {
	if e == nil || len(letters) == 1 && letters[0].At == e.Of {
		return nil
	}
	return ErrChanged
}
