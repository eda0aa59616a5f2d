package redrive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// ErrNotHeld says that a key waits for no release.
var ErrNotHeld = errors.New("the key is not held")

// Held is a key that is held on a partition.
type Held struct {
	Partition int32
	park.Hold
}

// Held says on which partitions a key is held; it is one, unless somebody wrote to another.
func (j Job) Held(ctx context.Context, key []byte) (held []Held, err error) {
	holds, err := j.holds(ctx)
	if err != nil {
		return nil, err
	}
	for at, h := range holds {
		if at.key == string(key) {
			held = append(held, Held{at.partition, h})
		}
	}
	if held == nil {
		return nil, fmt.Errorf("%w: %q", ErrNotHeld, key)
	}
	return held, nil
}

// Release lets a held key go on without its dead letters, which stay as they are. It is refused with
// [ErrHeld] where a letter of the hold is not there yet, or came while this was written.
func (j Job) Release(ctx context.Context, key []byte) error {
	_, err := j.fenced(ctx, func(j Job, ctx context.Context, step stepFunc) (int, error) {
		story, err := Read(ctx, j.Client, j.Group, j.Topic)
		if err != nil {
			return 0, err
		}
		held, err := j.Held(ctx, key)
		if err != nil {
			return 0, err
		}
		var records []kafka.Raw
		for _, h := range held {
			if n := story.since(h, key); n < h.Count {
				return 0, fmt.Errorf("%w: %d of the %d dead letters of key %q are there: read again", ErrHeld, n, h.Count, key)
			}
			at := consumer.DeadLetter{Source: leat.Position{Partition: h.Partition}}
			records = append(records, j.release(&Letter{DeadLetter: at, Key: key}, h.Hold))
		}
		j.Hook("release.read")
		if err := step(ctx, records, nil); err != nil {
			return 0, fmt.Errorf("release: %w", err)
		}
		return 0, j.released(ctx, key, held)
	})
	return err
}

// since is how many letters of the key there are from the hold's first on.
func (s *Story) since(h Held, key []byte) (n int) {
	for _, l := range s.letters {
		if l.Key != nil && string(l.Key) == string(key) && l.Source.Partition == h.Partition && l.Source.Offset >= h.First {
			n++
		}
	}
	return n
}

// released reads back whether the holds are gone. A commit can be there a little before it is read.
func (j Job) released(ctx context.Context, key []byte, before []Held) error {
	for {
		now, err := j.Held(ctx, key)
		if errors.Is(err, ErrNotHeld) {
			return nil
		}
		if err != nil {
			return err
		}
		still := false
		for _, b := range before {
			for _, n := range now {
				if n.Partition != b.Partition || n.ID != b.ID {
					continue
				}
				if n.Count != b.Count {
					return fmt.Errorf("%w: another dead letter of key %q came meanwhile, and the key stays held: read again", ErrHeld, key)
				}
				still = true
			}
		}
		if !still {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the release to be read: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
