package registry

import (
	"strings"
	"unicode"
)

// The contexts that have a name of their own. A context's name begins with a dot.
const (
	defaultContext = "."
	globalContext  = ".__GLOBAL"
	anyContext     = ":*:" // as a prefix of subjects: all contexts
)

// splitSubject takes a subject apart: ":.ctx:name" is name in .ctx, and what does not begin so is in
// the default context.
func splitSubject(subject string) (context, name string) {
	if !strings.HasPrefix(subject, ":.") {
		return defaultContext, subject
	}
	context, name, _ = strings.Cut(subject[1:], ":")
	return context, name
}

// joinSubject is the one spelling of a subject: nothing stands before it in the default context.
func joinSubject(context, name string) string {
	if context == defaultContext {
		return name
	}
	return ":" + context + ":" + name
}

// normalSubject brings a subject into its one spelling.
func normalSubject(subject string) string { return joinSubject(splitSubject(subject)) }

// contextOf is the context of a subject.
func contextOf(subject string) string {
	context, _ := splitSubject(subject)
	return context
}

// normalContext brings a context's name, with or without its dot and colons, into the prefix that it
// gives to subjects. ok is false where it is no name.
func normalContext(context string) (prefix string, ok bool) {
	context = strings.TrimSuffix(strings.TrimPrefix(context, ":"), ":")
	if strings.Contains(context, ":") {
		return "", false
	}
	if !strings.HasPrefix(context, ".") {
		context = "." + context
	}
	return joinSubject(context, ""), true
}

// inContextOf qualifies a subject that names no context with that of the schema that refers to it.
func inContextOf(parent, subject string) string {
	if context, name := splitSubject(subject); context == defaultContext {
		return joinSubject(contextOf(parent), name)
	}
	return normalSubject(subject)
}

// validSubject says whether a schema may be registered under the subject; for config and mode a
// whole context may be named, the global one too.
func validSubject(subject string, forConfig bool) bool {
	if strings.IndexFunc(subject, unicode.IsControl) >= 0 {
		return false
	}
	context, name := splitSubject(subject)
	if name == "__GLOBAL" || name == "__EMPTY" {
		return false
	}
	return forConfig || context != globalContext
}

// scopes are the subjects whose config or mode holds for one, the nearest first: its own, that of
// its context (none is named for the default one), and that of all contexts.
func scopes(subject string) [3]string {
	context, _ := splitSubject(subject)
	return [3]string{subject, joinSubject(context, ""), joinSubject(globalContext, "")}
}
