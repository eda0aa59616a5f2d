package redrive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/schema"
)

// HeaderEdited is a header of a redriven event whose payload is not that of its source: where the
// letter lies that was edited, as topic/partition@offset.
const HeaderEdited = "leat-edited"

// Errors of an edit.
var (
	// ErrUneditable says that a payload can't go through JSON: somebody has to send another event.
	ErrUneditable = errors.New("the payload can't be edited: send an event that is right instead (leat send), and discard the letter (leat dlq discard)")
	// ErrChanged says that the letter is not the one any more that was edited.
	ErrChanged = errors.New("the letter that was edited is not open any more, or a newer one came: look at it again (leat dlq show)")
)

// Edit is a payload that goes back in place of the one of a letter.
type Edit struct {
	Of    leat.Position // [Letter.At] of the letter
	Value []byte
	// Old and New are the letter's payload and Value as JSON.
	Old, New []byte
}

// Edit applies a patch to the payload: a JSON array is a JSON Patch (RFC 6902), an object a JSON Merge
// Patch (RFC 7396). A payload that names a schema is patched as the JSON that codec tells it as, and
// encoded by the same schema again. The letter stays as it is.
func (l *Letter) Edit(ctx context.Context, codec *schema.Codec, patch []byte) (Edit, error) {
	if slices.ContainsFunc(l.Headers, func(h leat.Header) bool { return h.Key == blob.HeaderName }) {
		return Edit{}, fmt.Errorf("%w: it lies in the store of payloads", ErrUneditable)
	}
	if header := l.header(schema.HeaderValueSchema); schema.IsFramed(header, l.Value) {
		return l.editFramed(ctx, codec, header, patch)
	}
	if !json.Valid(l.Value) {
		return Edit{}, fmt.Errorf("%w: it is neither JSON nor by a schema", ErrUneditable)
	}
	value, err := apply(patch, l.Value)
	return Edit{Of: l.At, Value: value, Old: l.Value, New: value}, err
}

func (l *Letter) editFramed(ctx context.Context, codec *schema.Codec, header, patch []byte) (Edit, error) {
	tell := func(value []byte) ([]byte, error) {
		text, told, err := codec.ToJSON(ctx, header, value)
		switch {
		case err == nil && !told:
			err = errors.New("it is by a schema, which the schema registry knows: set its URL (--registry, LEAT_REGISTRY_URL)")
		case err != nil && !leat.IsUnavailable(err):
			err = fmt.Errorf("%w: %w", ErrUneditable, err)
		}
		return text.JSON, err
	}
	old, err := tell(l.Value)
	if err != nil {
		return Edit{}, fmt.Errorf("read the payload: %w", err)
	}
	doc, err := apply(patch, old)
	if err != nil {
		return Edit{}, err
	}
	value, err := codec.Rewrite(ctx, header, l.Value, doc)
	switch {
	case errors.Is(err, schema.ErrUntold):
		return Edit{}, fmt.Errorf("%w: %w", ErrUneditable, err)
	case err != nil:
		return Edit{}, fmt.Errorf("encode the patched payload: %w", err)
	}
	if doc, err = tell(value); err != nil {
		return Edit{}, fmt.Errorf("read the patched payload: %w", err)
	}
	return Edit{Of: l.At, Value: value, Old: old, New: doc}, nil
}

// header is the value of the event's last header of the name, nil without one.
func (l *Letter) header(name string) (value []byte) {
	for _, h := range l.Headers {
		if h.Key == name {
			value = h.Value
		}
	}
	return value
}

func apply(patch, value []byte) (doc []byte, err error) {
	switch patch = bytes.TrimSpace(patch); {
	case !json.Valid(patch):
		err = errNoPatch
	case patch[0] == '{':
		doc, err = jsonpatch.MergePatch(value, patch)
	case patch[0] == '[':
		var steps jsonpatch.Patch
		if steps, err = jsonpatch.DecodePatch(patch); err == nil {
			doc, err = steps.Apply(value)
		}
	default:
		err = errNoPatch
	}
	if err != nil {
		return nil, fmt.Errorf("patch the payload: %w", err)
	}
	return doc, nil
}

var errNoPatch = errors.New("want a JSON array (RFC 6902) or a JSON object (RFC 7396)")

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
