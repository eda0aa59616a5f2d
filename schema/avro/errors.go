package avro

// Error says where a text is no Avro schema, and why.
type Error struct {
	Import string // the name of the reference whose text it is; "": the schema itself
	Path   string // a JSON pointer into that text; "": the whole of it
	Err    error
}

// Error is the place and the reason.
func (e *Error) Error() string {
	s := e.Err.Error()
	if e.Path != "" {
		s = "at " + e.Path + ": " + s
	}
	if e.Import != "" {
		s = "reference " + e.Import + ": " + s
	}
	return s
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Err }
