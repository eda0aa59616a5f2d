package schema_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
)

// What keeps a registry from answering is said with the setting that mends it.
func TestARegistryThatDoesNotAnswerIsToldWithTheWayOut(t *testing.T) {
	t.Parallel()
	answers := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	plain := httptest.NewServer(answers(401, `{"error_code":401,"message":"HTTP 401 Unauthorized"}`))
	t.Cleanup(plain.Close)
	denied := httptest.NewServer(answers(403, `{"error_code":40301,"message":"User is denied operation on this subject"}`))
	t.Cleanup(denied.Close)
	proxy := httptest.NewServer(answers(502, "<html>\nmuch more\n</html>"))
	t.Cleanup(proxy.Close)
	secured := httptest.NewTLSServer(answers(200, "[]"))
	t.Cleanup(secured.Close)
	picky := httptest.NewUnstartedServer(answers(200, "[]"))
	picky.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	picky.StartTLS()
	t.Cleanup(picky.Close)
	gone := httptest.NewServer(answers(200, "[]"))
	gone.Close()

	for _, c := range []struct {
		name, url string
		tls       *tls.Config
		want      []string
	}{
		{"wrong password", plain.URL, nil, []string{"answers 401 (401)", "check registry.user or registry.token"}},
		{"no right", denied.URL, nil, []string{"answers 403 (40301)", "administrator gives this right"}},
		{"a proxy's page", proxy.URL, nil, []string{"answers 502: Bad Gateway"}},
		{"unknown authority", secured.URL, nil, []string{"set registry.ca"}},
		{"no TLS asked for", strings.Replace(secured.URL, "https", "http", 1), nil, []string{"answers 400: ", "give its URL with https://"}},
		{"TLS asked for", strings.Replace(plain.URL, "http", "https", 1), nil, []string{"give its URL with http://"}},
		{"no client certificate", picky.URL, picky.Client().Transport.(*http.Transport).TLSClientConfig, []string{"registry.cert, registry.key"}},
		{"another name", strings.Replace(secured.URL, "127.0.0.1", "localhost", 1), secured.Client().Transport.(*http.Transport).TLSClientConfig, []string{"does not speak for that name"}},
		{"nobody there", gone.URL, nil, []string{"nothing listens there: check registry.url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, err := schema.NewClient(schema.ClientConfig{URLs: []string{c.url}, TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Subjects(t.Context(), "")
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not said:\n%v", want, err)
				}
			}
		})
	}
}

// A registry that is as it was set up refuses what breaks no Go type: the way out is said.
func TestARefusalThatALenientPolicyLiftsIsToldWithIt(t *testing.T) {
	t.Parallel()
	for reason, hint := range map[string]bool{"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL": true, "TYPE_CHANGED": false} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/compatibility/") {
				_, _ = w.Write([]byte(`{"is_compatible":false,"messages":["{errorType:\"` + reason + `\"}"]}`))
				return
			}
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"error_code":409,"message":"Schema being registered is incompatible: [{errorType:\"` + reason + `\"}]"}`))
		}))
		t.Cleanup(srv.Close)
		client, err := schema.NewClient(schema.ClientConfig{URLs: []string{srv.URL}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Register(t.Context(), "orders-value", schema.Registered{Type: schema.JSONSchema, Text: "{}"}, false)
		for _, err := range []error{err, client.Judge(t.Context(), "orders-value", schema.Registered{Type: schema.JSONSchema, Text: "{}"}, false)} {
			if !errors.Is(err, schema.ErrIncompatible) || strings.Contains(err.Error(), "leat schema config orders-value --policy LENIENT --yes") != hint {
				t.Errorf("%s: %v, want a hint: %v", reason, err, hint)
			}
		}
	}
}
