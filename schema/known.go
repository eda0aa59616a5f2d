package schema

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leatdev/leat"
)

// known keeps the schemas that the registry told of, for ever: a schema never changes. What it could
// not tell is asked for again after a pause that all askers share.
type known struct {
	c  *Codec
	mu sync.Mutex
	by map[Frame]*found
}

type found struct {
	done  chan struct{} // closed when the rest is there
	got   Registered
	s     Schema
	err   error
	until time.Time // when an error is old; zero: never
}

const (
	againAway    = time.Second      // after the registry did not answer
	againMissing = 10 * time.Second // after it said that there is none: perhaps a replica is behind
)

// find is the schema that a frame names. Of several who ask at once one asks the registry.
func (n *known) find(ctx context.Context, f Frame) (Registered, Schema, error) {
	n.mu.Lock()
	if n.by == nil {
		n.by = map[Frame]*found{}
	}
	e := n.by[f]
	if e == nil || e.old() {
		e = &found{done: make(chan struct{})}
		n.by[f] = e
		n.mu.Unlock()
		n.fetch(ctx, f, e)
	} else {
		n.mu.Unlock()
	}
	select {
	case <-e.done:
		return e.got, e.s, e.err
	case <-ctx.Done():
		return Registered{}, nil, leat.Unavailable(fmt.Errorf("wait for %v: %w", f, context.Cause(ctx)))
	}
}

func (e *found) old() bool {
	select {
	case <-e.done:
		return e.err != nil && time.Now().After(e.until)
	default:
		return false
	}
}

func (n *known) fetch(ctx context.Context, f Frame, e *found) {
	defer close(e.done)
	e.err = errors.New("asking for the schema panicked")
	if f.Header {
		e.got, e.err = n.c.cfg.Registry.ByGUID(ctx, f.GUID)
	} else {
		e.got, e.err = n.c.cfg.Registry.ByID(ctx, f.ID)
	}
	if e.err == nil {
		e.s, e.err = n.parse(ctx, e.got)
	}
	if e.err == nil {
		return
	}
	pause := againMissing
	if leat.IsUnavailable(e.err) {
		pause = againAway
	}
	e.until = time.Now().Add(pause)
	e.err = fmt.Errorf("find %v: %w", f, e.err)
}

// maxImports bounds what one schema may pull in.
const maxImports = 256

// parse reads a registered schema with all that it refers to.
func (n *known) parse(ctx context.Context, r Registered) (Schema, error) {
	f := n.c.formats[r.Type]
	if f == nil {
		return nil, fmt.Errorf("a schema of type %s, and this codec has no such format", r.Type)
	}
	imports, err := Resolve(ctx, n.c.cfg.Registry, r.References)
	if err != nil {
		return nil, err
	}
	return f.Parse(r.Text, imports)
}

// Resolve fetches what references lead to, directly or not, each after those that it refers to.
func Resolve(ctx context.Context, from Registry, references []Reference) ([]Import, error) {
	var imports []Import
	seen := map[string]bool{}
	var walk func(refs []Reference) error
	walk = func(refs []Reference) error {
		for _, ref := range refs {
			if seen[ref.Name] {
				continue
			}
			seen[ref.Name] = true
			if len(seen) > maxImports {
				return fmt.Errorf("the schema refers to more than %d others", maxImports)
			}
			got, err := from.Version(ctx, ref.Subject, ref.Version)
			if err != nil {
				return fmt.Errorf("reference %s: %w", ref.Name, err)
			}
			if err := walk(got.References); err != nil {
				return err
			}
			imports = append(imports, Import{Reference: ref, Text: got.Text})
		}
		return nil
	}
	return imports, walk(references)
}
