package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/shop/api"
)

type body struct {
	Name string `json:"name"`
}

func read(contentType, payload string) (body, error) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(payload))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	var b body
	return b, api.Read(httptest.NewRecorder(), r, &b)
}

func TestReadRefusesWhatIsNotOneObject(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contentType, payload string
		status               int
	}{
		"plain":          {"application/json", `{"name":"a"}`, 0},
		"no type":        {"", `{"name":"a"}`, 0},
		"charset":        {"application/json; charset=utf-8", ` {"name":"a"} `, 0},
		"form":           {"application/x-www-form-urlencoded", `name=a`, 415},
		"broken type":    {"a/b/c", `{}`, 415},
		"empty":          {"application/json", ``, 400},
		"cut off":        {"application/json", `{"name":`, 400},
		"two":            {"application/json", `{"name":"a"}{"name":"b"}`, 400},
		"trailing":       {"application/json", `{"name":"a"} x`, 400},
		"unknown member": {"application/json", `{"nome":"a"}`, 400},
		"wrong kind":     {"application/json", `{"name":1}`, 400},
		"too long":       {"application/json", `{"name":"` + strings.Repeat("a", api.MaxBody) + `"}`, 413},
	} {
		b, err := read(c.contentType, c.payload)
		p, _ := errors.AsType[*api.Problem](err)
		switch {
		case c.status == 0 && (err != nil || b.Name != "a"):
			t.Errorf("%s: %+v %v", name, b, err)
		case c.status != 0 && (p == nil || p.Status != c.status):
			t.Errorf("%s: %v, want %d", name, err, c.status)
		}
	}
}

func FuzzReadAnswersOnlyWithProblems(f *testing.F) {
	f.Add(`{"name":"a"}`)
	f.Add(`{"name":`)
	f.Fuzz(func(t *testing.T, payload string) {
		_, err := read("application/json", payload)
		if _, ok := errors.AsType[*api.Problem](err); err != nil && !ok {
			t.Errorf("%q: %v", payload, err)
		}
	})
}

func TestHandleHidesFaultsAndAsksToComeBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		retry  string
	}{
		"problem":     {fmt.Errorf("wrapped: %w", api.Refuse(409, "too late")), 409, ""},
		"unavailable": {leat.Unavailable(errors.New("secret host is away")), 503, "1"},
		"fault":       {errors.New("secret table is broken"), 500, ""},
	} {
		w := httptest.NewRecorder()
		api.Handle(slog.New(slog.DiscardHandler), func(http.ResponseWriter, *http.Request) error { return c.err }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || p.Status != c.status || p.Type != "about:blank" || w.Header().Get("Content-Type") != "application/problem+json" ||
			w.Header().Get("Retry-After") != c.retry || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}

func TestPageOfKnowsWhetherThereIsMore(t *testing.T) {
	t.Parallel()
	key := func(s string) string { return s }
	for _, c := range []struct {
		items []string
		n     int
		next  string
	}{{nil, 0, ""}, {[]string{"a"}, 1, ""}, {[]string{"a", "b"}, 2, ""}, {[]string{"a", "b", "c"}, 2, "b"}} {
		p := api.PageOf(c.items, 2, key)
		if len(p.Items) != c.n || p.Next != c.next || p.Items == nil {
			t.Errorf("%v: %+v", c.items, p)
		}
	}
}

func ExampleRefuse() {
	fmt.Println(api.Refuse(http.StatusConflict, "order %s is completed", "o1"))
	// Output: Conflict: order o1 is completed
}
