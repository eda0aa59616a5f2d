package registry

import (
	"net/http"
	"net/url"
	"strings"
)

// route is one kind of request.
type route struct {
	method  string
	pattern string // segments in braces stand for any one
	right   right  // on the subject; where there is none, see scope
	scope   scopeOf
	writes  bool // goes to the leader; register goes there by itself
	serve   func(*call) (any, error)

	segments []string // of pattern
}

// scopeOf says what the right of a route is needed for.
type scopeOf int

const (
	ofSubject scopeOf = iota // the subject in the path
	ofAnswer                 // what is answered: the route looks by itself
	ofAll                    // all subjects
	ofNobody                 // nothing: any user may
)

// routes are all requests that are understood.
func routes() []*route {
	all := []*route{
		{"GET", "/", read, ofNobody, false, (*call).root, nil},
		{"POST", "/", read, ofNobody, false, (*call).root, nil},

		{"GET", "/subjects", read, ofAnswer, false, (*call).listSubjects, nil},
		{"POST", "/subjects/{subject}", read, ofSubject, false, (*call).lookup, nil},
		{"DELETE", "/subjects/{subject}", write, ofSubject, true, (*call).deleteSubject, nil},
		{"GET", "/subjects/{subject}/metadata", read, ofSubject, false, (*call).latestWith, nil},
		{"GET", "/subjects/{subject}/versions", read, ofSubject, false, (*call).listVersions, nil},
		{"POST", "/subjects/{subject}/versions", write, ofSubject, false, (*call).register, nil},
		{"GET", "/subjects/{subject}/versions/{version}", read, ofSubject, false, (*call).version, nil},
		{"DELETE", "/subjects/{subject}/versions/{version}", write, ofSubject, true, (*call).deleteVersion, nil},
		{"GET", "/subjects/{subject}/versions/{version}/schema", read, ofSubject, false, (*call).versionText, nil},
		{"GET", "/subjects/{subject}/versions/{version}/referencedby", read, ofSubject, false, (*call).referencedBy, nil},

		{"GET", "/schemas", read, ofAnswer, false, (*call).listSchemas, nil},
		{"GET", "/schemas/types", read, ofNobody, false, (*call).types, nil},
		{"GET", "/schemas/ids/{id}", read, ofAnswer, false, (*call).byID, nil},
		{"GET", "/schemas/ids/{id}/schema", read, ofAnswer, false, (*call).textByID, nil},
		{"GET", "/schemas/ids/{id}/subjects", read, ofAnswer, false, (*call).subjectsOfID, nil},
		{"GET", "/schemas/ids/{id}/versions", read, ofAnswer, false, (*call).versionsOfID, nil},
		{"GET", "/schemas/guids/{guid}", read, ofAnswer, false, (*call).byGUID, nil},
		{"GET", "/schemas/guids/{guid}/ids", read, ofAnswer, false, (*call).idsOfGUID, nil},

		{"POST", "/compatibility/subjects/{subject}/versions", read, ofSubject, false, (*call).compatible, nil},
		{"POST", "/compatibility/subjects/{subject}/versions/{version}", read, ofSubject, false, (*call).compatible, nil},

		{"GET", "/config", read, ofNobody, false, (*call).config, nil},
		{"PUT", "/config", admin, ofAll, true, (*call).putConfig, nil},
		{"DELETE", "/config", admin, ofAll, true, (*call).deleteConfig, nil},
		{"GET", "/config/{subject}", read, ofSubject, false, (*call).config, nil},
		{"PUT", "/config/{subject}", admin, ofSubject, true, (*call).putConfig, nil},
		{"DELETE", "/config/{subject}", admin, ofSubject, true, (*call).deleteConfig, nil},
		{"GET", "/mode", read, ofNobody, false, (*call).mode, nil},
		{"PUT", "/mode", admin, ofAll, true, (*call).putMode, nil},
		{"DELETE", "/mode", admin, ofAll, true, (*call).deleteMode, nil},
		{"GET", "/mode/{subject}", read, ofSubject, false, (*call).mode, nil},
		{"PUT", "/mode/{subject}", admin, ofSubject, true, (*call).putMode, nil},
		{"DELETE", "/mode/{subject}", admin, ofSubject, true, (*call).deleteMode, nil},

		{"GET", "/contexts", read, ofNobody, false, (*call).listContexts, nil},
		{"DELETE", "/contexts/{context}", admin, ofSubject, true, (*call).deleteContext, nil},

		{"GET", "/v1/metadata/id", read, ofNobody, false, (*call).clusterID, nil},
		{"GET", "/v1/metadata/version", read, ofNobody, false, (*call).serverVersion, nil},
		{"GET", "/leat/poison", admin, ofAll, false, (*call).poison, nil},
		{"GET", "/metrics", read, ofNobody, false, (*call).serveMetrics, nil},
	}
	for _, r := range all {
		r.segments, _ = splitPath(r.pattern)
	}
	return all
}

// table is made once: it is never changed.
var table = routes()

// find is the route of a request; known says whether the path is one, with another method.
func find(method string, path []string) (found *route, known bool) {
	for _, r := range table {
		if !r.matches(path) {
			continue
		}
		if r.method == method {
			return r, true
		}
		known = true
	}
	return nil, known
}

func (r *route) matches(path []string) bool {
	if len(r.segments) != len(path) {
		return false
	}
	for i, want := range r.segments {
		if want[0] != '{' && want != path[i] {
			return false
		}
	}
	return true
}

// part is a segment of the request's path by its name in the pattern.
func (c *call) part(name string) string {
	for i, segment := range c.route.segments {
		if segment == "{"+name+"}" {
			return c.path[i]
		}
	}
	return ""
}

// subjectOf is the subject that a request is about, with its alias followed where data is asked for,
// not settings.
func (r *route) subjectOf(c *call) (subject string) {
	switch {
	case strings.Contains(r.pattern, "{subject}"):
		subject = normalSubject(c.part("subject"))
	case strings.Contains(r.pattern, "{context}"):
		subject, _ = normalContext(c.part("context"))
		return subject
	default:
		subject = normalSubject(c.query.Get("subject"))
	}
	if strings.HasPrefix(r.pattern, "/config") || strings.HasPrefix(r.pattern, "/mode") {
		return subject
	}
	c.look(func(s *state) { subject = s.aliased(subject) })
	return subject
}

// rewrite takes a path below /contexts/{context} for what it means: the same path with the context
// before its subject.
func rewrite(path []string, query url.Values) ([]string, error) {
	if len(path) < 3 || path[0] != "contexts" {
		return path, nil
	}
	prefix, ok := normalContext(path[1])
	if !ok {
		return nil, fault(http.StatusBadRequest, "Context name cannot contain a colon")
	}
	qualify := func(subject string) string {
		if strings.HasPrefix(subject, ":.") || strings.HasPrefix(subject, anyContext) {
			return subject
		}
		return prefix + subject
	}
	rest := append([]string(nil), path[2:]...)
	at := 1
	if rest[0] == "compatibility" {
		at = 2
	}
	switch {
	case rest[0] == "subjects" && len(rest) == 1, rest[0] == "schemas" && len(rest) == 1:
		query.Set("subjectPrefix", qualify(query.Get("subjectPrefix")))
	case rest[0] == "schemas" && len(rest) > 1 && rest[1] == "ids":
		query.Set("subject", qualify(query.Get("subject")))
	case rest[0] == "subjects", rest[0] == "config", rest[0] == "mode", rest[0] == "compatibility":
		if at < len(rest) {
			rest[at] = qualify(rest[at])
		} else if at == 1 && prefix != "" {
			rest = append(rest, prefix)
		}
	}
	return rest, nil
}
