package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
)

// MaxBody is the longest body that Read takes, in bytes.
const MaxBody = 64 << 10

// Read decodes the request's body, one JSON value without unknown members, into v. Its error is a
// Problem.
func Read(w http.ResponseWriter, r *http.Request, v any) error {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/json" {
			return Refuse(http.StatusUnsupportedMediaType, "the body is %s: send application/json", ct)
		}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return unreadable(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return unreadable(errors.New("there is more than one JSON value"))
	}
	return nil
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Refuse(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", MaxBody)
	}
	if errors.Is(err, io.EOF) {
		return Refuse(http.StatusBadRequest, "the body is empty: send a JSON object")
	}
	return Refuse(http.StatusBadRequest, "the body can't be read: %v", err)
}

// Page is one page of a listing, in the order of a key that stays.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // what to send as after for the next page; absent on the last
}

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Limit is how many items the request wants on a page: 100 if it does not say, at most 1000.
func Limit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, Refuse(http.StatusBadRequest, "limit is %q: send a number from 1 to %d", text, maxLimit)
	}
	return n, nil
}

// PageOf makes a page of at most limit items out of a query for limit+1 of them.
func PageOf[T any](items []T, limit int, key func(T) string) Page[T] {
	p := Page[T]{Items: items}
	if len(items) > limit {
		p.Items = items[:limit]
		p.Next = key(p.Items[limit-1])
	}
	if p.Items == nil {
		p.Items = []T{}
	}
	return p
}
