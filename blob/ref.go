package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat"
)

// Headers of an event whose data lies in a store: the attribute of the CloudEvents extension for
// claim checks, relative to the store that reader and writer share, and what the data must be.
const (
	HeaderName = "ce_dataref"
	HeaderSize = "leat-data-size"
	HeaderSum  = "leat-data-sha256"
)

// Ref is what an event carries in place of its data.
type Ref struct {
	Name string // in the store
	Size int64  // bytes
	Sum  string // SHA-256 in hex
}

// NameOf is the name of a payload: its owner, the UTC day and its sum, so that putting it again
// makes no second one.
func NameOf(owner string, data []byte, now time.Time) string {
	sum := sha256.Sum256(data)
	return path.Join(owner, now.UTC().Format("2006-01-02"), hex.EncodeToString(sum[:]))
}

// Put keeps data in the store under its NameOf and returns the reference to it.
func Put(ctx context.Context, s Store, owner string, data []byte, now time.Time) (Ref, error) {
	name := NameOf(owner, data, now)
	if err := s.Put(ctx, name, data); err != nil {
		return Ref{}, fmt.Errorf("put a payload of %d bytes: %w", len(data), err)
	}
	return Ref{Name: name, Size: int64(len(data)), Sum: path.Base(name)}, nil
}

// Fetch returns the payload of a reference, checked. One of more than limit bytes is not fetched.
func Fetch(ctx context.Context, s Store, ref Ref, limit int64) ([]byte, error) {
	if ref.Size > limit {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, ref.Size, limit)
	}
	data, err := s.Get(ctx, ref.Name, limit)
	if err != nil {
		return nil, fmt.Errorf("fetch payload %s: %w", ref.Name, err)
	}
	if n := int64(len(data)); n != ref.Size {
		return nil, &CorruptError{Name: ref.Name, What: "size", Have: strconv.FormatInt(n, 10), Want: strconv.FormatInt(ref.Size, 10)}
	}
	sum := sha256.Sum256(data)
	if have := hex.EncodeToString(sum[:]); have != ref.Sum {
		return nil, &CorruptError{Name: ref.Name, What: "SHA-256", Have: have, Want: ref.Sum}
	}
	return data, nil
}

// Final says that no retry can bring the payload: it is not there, not what was put, or too large.
func Final(err error) bool {
	_, corrupt := errors.AsType[*CorruptError](err)
	return corrupt || errors.Is(err, ErrNotFound) || errors.Is(err, ErrTooLarge)
}

// Headers are the reference as an event carries it.
func (r Ref) Headers() []leat.Header {
	return []leat.Header{
		{Key: HeaderName, Value: []byte(r.Name)},
		{Key: HeaderSize, Value: strconv.AppendInt(nil, r.Size, 10)},
		{Key: HeaderSum, Value: []byte(r.Sum)},
	}
}

// RefOf is the reference that an event carries, if it does; a leat.Envelope tells its headers so. A
// dataref alone is somebody else's, with other means to read it: the sum makes it ours.
func RefOf(e interface{ Header(name string) string }) (ref Ref, refers bool, err error) {
	sum := e.Header(HeaderSum)
	if sum == "" {
		return Ref{}, false, nil
	}
	ref = Ref{Name: e.Header(HeaderName), Sum: strings.ToLower(sum)}
	if raw, err := hex.DecodeString(ref.Sum); err != nil || len(raw) != sha256.Size {
		return ref, true, fmt.Errorf("header %s: %.80q is no SHA-256 sum in hex", HeaderSum, sum)
	}
	size := e.Header(HeaderSize)
	if ref.Size, err = strconv.ParseInt(size, 10, 64); err != nil || ref.Size < 0 {
		return ref, true, fmt.Errorf("header %s: %.80q is no number of bytes", HeaderSize, size)
	}
	if err := validName(ref.Name); err != nil {
		return ref, true, fmt.Errorf("header %s: %w", HeaderName, err)
	}
	return ref, true, nil
}
