package blob

import (
	"context"
	"time"

	"github.com/leatdev/leat"
)

// Claim puts the data of a message into the store where it is larger than above, leaves a reference in
// its place, and returns the payload's name; "": the message is as it was.
func Claim(ctx context.Context, s Store, owner string, above int, m *leat.Message) (name string, err error) {
	if s == nil || len(m.Data) <= above {
		return "", nil
	}
	ref, err := Put(ctx, s, owner, m.Data, time.Now())
	if err != nil {
		return "", err
	}
	m.Data = []byte{} // not nil: no tombstone
	m.Headers = append(m.Headers, ref.Headers()...)
	return ref.Name, nil
}
