package redrive

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// ErrNotHeld says that a key waits for no release.
var ErrNotHeld = errors.New("the key is not held")

// Held is a key that is held on a partition.
type Held struct {
	Partition int32
	Key       []byte
	park.Hold
}

// Held says on which partitions a key is held; it is one, unless somebody wrote to another.
func (j Job) Held(ctx context.Context, key []byte) ([]Held, error) {
	s, err := open(ctx, j.Client, j.Group, j.Topic)
	if err != nil {
		return nil, err
	}
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	return s.held(key)
}

func (s *scene) held(key []byte) (held []Held, err error) {
	for at, h := range s.holds() {
		if at.key == string(key) {
			held = append(held, Held{at.partition, key, h})
		}
	}
	if held == nil {
		return nil, fmt.Errorf("%w: %q", ErrNotHeld, key)
	}
	return held, nil
}

// Release lets a held key go on without its dead letters, which stay as they are, with a note. It is
// refused with [ErrHeld] where a letter of the hold is not there yet, or came while this was written.
func (j Job) Release(ctx context.Context, key []byte) error {
	return j.fenced(ctx, func(j Job, ctx context.Context, step stepFunc) error {
		s, err := open(ctx, j.Client, j.Group, j.Topic)
		if err != nil {
			return err
		}
		if err := s.read(ctx); err != nil {
			return err
		}
		held, err := s.held(key)
		if err != nil {
			return err
		}
		var records, notes []kafka.Raw
		for _, h := range held {
			letters := s.story.since(h)
			if len(letters) < h.Count {
				return fmt.Errorf("%w: %d of the %d dead letters of key %q are there: read again", ErrHeld, len(letters), h.Count, key)
			}
			records = append(records, j.release(letters[0], h.Hold))
			for _, l := range letters {
				note, err := j.note(Released, l, 0, "")
				if err != nil {
					return err
				}
				notes = append(notes, note)
			}
		}
		j.Hook("release.read")
		if err := step(ctx, records, nil); err != nil {
			return fmt.Errorf("release: %w", err)
		}
		if err := s.released(ctx, held); err != nil {
			return err
		}
		if err := step(ctx, nil, notes); err != nil { // behind the answer: a release can be refused
			return fmt.Errorf("note the release: %w", err)
		}
		return nil
	})
}

// since are the letters of the key from the hold's first on.
func (s *Story) since(h Held) (letters []*Letter) {
	for _, l := range s.Letters() {
		if l.Key != nil && string(l.Key) == string(h.Key) && l.Source.Partition == h.Partition && l.Source.Offset >= h.First {
			letters = append(letters, l)
		}
	}
	return letters
}

// released reads back that the holds are gone. A commit can be there a little before it is read.
func (s *scene) released(ctx context.Context, before []Held) error {
	for len(before) > 0 {
		if err := s.read(ctx); err != nil {
			return err
		}
		now := s.holds()
		still := false
		for _, b := range before {
			n := now[place{b.Partition, string(b.Key)}]
			if n.ID != b.ID {
				continue
			}
			if n.Count != b.Count {
				return fmt.Errorf("%w: another dead letter of key %q came meanwhile, and the key stays held: give the command again", ErrHeld, b.Key)
			}
			still = true
		}
		if !still {
			return nil
		}
		pause(ctx, lookEvery/4)
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the release to be read: %w", ctx.Err())
		}
	}
	return nil
}
