package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// Bounds on references: how many schemas one may need, directly or not, and how deep.
const (
	maxImports = 1000
	maxDepth   = 64
)

// candidate is a schema that a request brings, before it is a version.
type candidate struct {
	subject  string
	number   int32 // 0: the next one; -1: the next one, with its number in the metadata
	id       int32 // -1: to be given
	contract contract
}

// judge decides on commands. It is pure: what it answers follows from the state and the command.
type judge struct {
	languages map[schema.Type]schema.Language
	level     schema.Level // where nothing is set
	fields    bool         // validate fields, where nothing is set
}

// parsed is a contract that was read.
type parsed struct {
	contract
	schema.Schema
}

// read parses a contract for a subject of the state.
func (j *judge) read(s *state, subject string, c contract) (*parsed, *Fault) {
	language := j.languages[c.kind]
	if language == nil {
		return nil, invalidSchema("Invalid schema type " + string(c.kind))
	}
	imports, err := s.imports(subject, c.references)
	if err == nil {
		var sch schema.Schema
		if sch, err = language.Parse(c.text, imports); err == nil {
			return &parsed{c, sch}, nil
		}
	}
	return nil, invalidSchema(fmt.Sprintf("Invalid schema of type %s, details: %v", c.kind, err))
}

// canonical parses a contract and brings it into the form that is kept and hashed. It is nil for an
// empty text.
func (j *judge) canonical(s *state, subject string, c contract, normalize bool) (*parsed, *Fault) {
	if strings.TrimSpace(c.text) == "" {
		return nil, nil
	}
	c.references = s.pinned(subject, c.references)
	p, f := j.read(s, subject, c)
	if f != nil {
		return nil, f
	}
	p.text = p.Canonical()
	if normalize {
		p.text = p.Normalized()
	}
	return p, nil
}

// pinned puts the latest version in place of -1.
func (s *state) pinned(parent string, references []schema.Reference) []schema.Reference {
	if len(references) == 0 {
		return nil
	}
	pinned := slices.Clone(references)
	for i, r := range pinned {
		if r.Version == -1 {
			if v := s.latest(inContextOf(parent, r.Subject)); v != nil {
				pinned[i].Version = int(v.number)
			}
		}
	}
	return pinned
}

// imports are all schemas that references lead to, each after those that it needs itself.
func (s *state) imports(parent string, references []schema.Reference) ([]schema.Import, error) {
	w := walk{state: s, seen: map[string]bool{}}
	if err := w.into(parent, references, 0); err != nil {
		return nil, err
	}
	return w.imports, nil
}

type walk struct {
	state   *state
	seen    map[string]bool // by the names that texts use
	imports []schema.Import
}

func (w *walk) into(parent string, references []schema.Reference, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("its references are nested deeper than %d", maxDepth)
	}
	for _, r := range w.state.pinned(parent, references) {
		if r.Name == "" || r.Subject == "" {
			return errors.New("a reference lacks its name or its subject")
		}
		if w.seen[r.Name] {
			continue
		}
		w.seen[r.Name] = true
		v := w.state.version(inContextOf(parent, r.Subject), int32(r.Version))
		if v == nil {
			return fmt.Errorf("no schema reference found for subject \"%s\" and version %d", r.Subject, r.Version)
		}
		if err := w.into(v.subject, v.contract.references, depth+1); err != nil {
			return err
		}
		if w.imports = append(w.imports, schema.Import{Reference: r, Text: v.contract.text}); len(w.imports) > maxImports {
			return fmt.Errorf("it needs more than %d other schemas", maxImports)
		}
	}
	return nil
}
