package registry

import (
	"errors"
	"fmt"
	"net/http"
)

// Fault is a command that was refused, as clients are told: an HTTP status, a code that says more,
// and a message.
type Fault struct {
	Status  int
	Code    int
	Message string
}

func (f *Fault) Error() string { return f.Message }

func fault(code int, format string, args ...any) *Fault {
	status := code
	if code > 999 {
		status = code / 100
	}
	return &Fault{status, code, fmt.Sprintf(format, args...)}
}

// The faults, by their codes. docs/reference/registry.md lists them.

func noSubject(subject string) *Fault {
	return fault(40401, "Subject '%s' not found.", subject)
}

func noVersion(number int32) *Fault {
	return fault(40402, "Version %d not found.", number)
}

func noSchema() *Fault { return fault(40403, "Schema not found") }

func noSchemaOf(id any) *Fault { return fault(40403, "Schema %v not found", id) }

func subjectSoftDeleted(subject string) *Fault {
	return fault(40404, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", subject)
}

func subjectNotSoftDeleted(subject string) *Fault {
	return fault(40405, "Subject '%s' was not deleted first before being permanently deleted", subject)
}

func versionSoftDeleted(subject string, number int32) *Fault {
	return fault(40406, "Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", subject, number)
}

func versionNotSoftDeleted(subject string, number int32) *Fault {
	return fault(40407, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, number)
}

func noSettings(subject string) *Fault {
	return fault(40408, "Subject '%s' does not have subject-level compatibility configured", subject)
}

func noMode(subject string) *Fault {
	return fault(40409, "Subject '%s' does not have subject-level mode configured", subject)
}

func incompatible(subject, details string) *Fault {
	return fault(409, "Schema being registered is incompatible with an earlier schema for subject \"%s\", details: %s", subject, details)
}

func invalidSchema(details string) *Fault { return fault(42201, "%s", details) }

func invalidVersion(text string) *Fault {
	return fault(42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)
}

func invalidLevel() *Fault {
	return fault(42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

func invalidMode() *Fault {
	return fault(42204, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, and IMPORT.")
}

func notPermitted(format string, args ...any) *Fault { return fault(42205, format, args...) }

func stillReferenced(subject string, number int32) *Fault {
	return fault(42206, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", subject, number)
}

func invalidSubject(subject string) *Fault {
	return fault(42208, "The specified subject '%s' is not a valid subject.", subject)
}

func tooLarge() *Fault {
	return fault(42209, "Register operation failed because schema is too large")
}

func invalidRules(why error) *Fault { return fault(42210, "Invalid rule set: %v", why) }

func contextNotEmpty(context string) *Fault {
	return fault(42211, "The specified context '%s' is not empty.", context)
}

// faultOf says what clients are told of an error: a fault as it is, what a log said by its code, and
// of anything else that there is a fault, no more.
func faultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return tooLarge()
	case errors.Is(err, ErrNotLeader):
		return fault(50004, "Leader not known.")
	case errors.Is(err, errTimeout):
		return fault(50002, "The log did not answer in time; the operation may have been carried out all the same")
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrStale), errors.Is(err, errUnknown):
		return fault(50001, "Error in the backend data store")
	}
	return fault(http.StatusInternalServerError, "Internal Server Error")
}

var (
	errTimeout = errors.New("the log did not answer in time")
	errUnknown = errors.New("whether the records are in the log is not known")
)
