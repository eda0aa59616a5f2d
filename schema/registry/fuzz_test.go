package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzReplay feeds anything as a log: nothing panics, and all indexes fit together.
func FuzzReplay(f *testing.F) {
	f.Add([]byte("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}\t{\"id\":1,\"schema\":\"{}\"}\n{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\"}\t{}\n"))
	f.Add([]byte("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}\t{\"id\":1,\"schema\":\"{}\"}\n{\"version\":1,\"keytype\":\"SCHEMA\",\"subject\":\"s\"}\tnull\n"))
	f.Add([]byte("{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\":.c:\"}\t{}\n{\"keytype\":\"CONTEXT\",\"context\":\".c\"}\t{}\n"))
	f.Add([]byte("{\"keytype\":\"CONFIG\"}\t{\"defaultRuleSet\":{\"domainRules\":[{}]}}\n{\"keytype\":\"MODE\",\"subject\":\":.:\"}\t{\"mode\":\"IMPORT\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newState()
		for i, line := range bytes.Split(data, []byte("\n")) {
			k, v, ok := bytes.Cut(line, []byte("\t"))
			if !ok {
				v = nil
			}
			if string(v) == "null" {
				v = nil
			}
			s.apply([]Entry{{Record{Key: k, Value: v}, int64(i)}}, int64(i)+1)
		}
		consistent(t, s)
	})
}

// consistent checks that the state's indexes say the same.
func consistent(t *testing.T, s *state) {
	t.Helper()
	versions, live := 0, 0
	for name, vs := range s.subjects {
		for i, v := range vs {
			versions++
			if !v.deleted {
				live++
			}
			if v.subject != name || i > 0 && vs[i-1].number >= v.number {
				t.Errorf("%s: version %d is in a wrong place", name, v.number)
			}
			if s.byID(v.id, name) == nil {
				t.Errorf("%s: version %d is not found by its id %d", name, v.number, v.id)
			}
			if id, ok := s.idOf(contextOf(name), v.identity()); !ok || s.byID(id, joinSubject(contextOf(name), "")).identity() != v.identity() {
				t.Errorf("%s: version %d is not found by its identity", name, v.number)
			}
		}
	}
	byID := 0
	for _, sc := range s.contexts {
		for id, vs := range sc.ids {
			byID += len(vs)
			for _, v := range vs {
				if v.identity() != vs[0].identity() {
					t.Errorf("id %d is two schemas", id)
				}
			}
		}
	}
	if byID != versions || live != s.live {
		t.Errorf("%d versions by id, %d by subject; %d live, counted %d", byID, versions, live, s.live)
	}
}

// FuzzRequests sends anything anywhere: there is an answer, it is JSON but for texts and metrics, and
// no fault of ours.
func FuzzRequests(f *testing.F) {
	s, err := New(Config{Log: NewMemory(), Languages: tinyLanguages(), Logger: quiet(f), LogTimeout: time.Minute})
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.Cleanup(stop)
	go func() { _ = s.cfg.Log.Follow(ctx, s.apply) }() // ends with the fuzzing
	h := s.handler()
	for _, r := range table {
		path := strings.NewReplacer("{subject}", "s", "{version}", "1", "{id}", "1", "{guid}", "x", "{context}", "c").Replace(r.pattern)
		f.Add(r.method, path, `{"schema":"{\"a\":true}","references":[{"name":"x","subject":"s","version":-1}],"metadata":{"tags":{"a":["b"]}},"mode":"IMPORT","compatibility":"FULL"}`)
	}
	f.Add("POST", "/contexts/%2e/subjects/:.c:%00/versions", `{"schema":"{}","id":-7,"version":-2147483648}`)
	f.Add("GET", "/subjects?offset=-1&limit=99999999999999999999", "")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		r, err := http.NewRequest(method, "http://registry"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		plain := strings.HasSuffix(strings.TrimRight(r.URL.Path, "/"), "/schema") || strings.Contains(r.URL.Path, "metrics")
		if w.Code != http.StatusNoContent && !plain && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %s: no JSON: %q", method, path, w.Body)
		}
	})
}
