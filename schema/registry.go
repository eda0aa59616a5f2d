package schema

import (
	"context"
	"errors"
	"fmt"
)

// Registered is a schema as a registry tells of it. What the question did not ask for is zero: by an
// id it knows no subject.
type Registered struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int32       `json:"id,omitempty"`
	GUID       string      `json:"guid,omitempty"` // since Confluent's 8.0
	Type       Type        `json:"schemaType,omitempty"`
	Text       string      `json:"schema"`
	References []Reference `json:"references,omitempty"`
}

// Registry is where schemas are registered; Client speaks to one over HTTP. An error is
// [leat.Unavailable] where asking again may help, or wraps [ErrNotFound], [ErrIncompatible] or
// [ErrRejected].
type Registry interface {
	// Register makes text a version of the subject, or finds it among them.
	Register(ctx context.Context, subject string, r Registered, normalize bool) (Registered, error)
	// Lookup finds the version of the subject that has the text.
	Lookup(ctx context.Context, subject string, r Registered, normalize bool) (Registered, error)
	// Judge says whether Register would take text as a version of the subject, by the subject's own
	// rules: an error wraps [ErrIncompatible], with the reasons, where it would not.
	Judge(ctx context.Context, subject string, r Registered, normalize bool) error
	// Version is a version of the subject; -1: the latest.
	Version(ctx context.Context, subject string, version int) (Registered, error)
	ByID(ctx context.Context, id int32) (Registered, error)
	ByGUID(ctx context.Context, guid GUID) (Registered, error)
}

// What a registry answers to a question that is understood.
var (
	ErrNotFound     = errors.New("not found in the schema registry")
	ErrIncompatible = errors.New("the schema registry refuses an incompatible schema")
	ErrRejected     = errors.New("the schema registry refuses the request")
)

// RegistryError is the answer of a registry that did not do what it was asked for.
type RegistryError struct {
	Op      string // what was asked: "register orders-value"
	Status  int    // HTTP
	Code    int    // Confluent's error_code
	Message string
	kind    error // one of the errors above, or nil
}

func (e *RegistryError) Error() string {
	code := ""
	if e.Code != 0 {
		code = fmt.Sprintf(" (%d)", e.Code)
	}
	return fmt.Sprintf("%s: the schema registry answers %d%s: %s%s", e.Op, e.Status, code, e.Message, e.hint())
}

// Unwrap is ErrNotFound, ErrIncompatible or ErrRejected.
func (e *RegistryError) Unwrap() error { return e.kind }
