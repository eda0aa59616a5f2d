package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/leattest/sql"
)

// each runs body on every kind of store.
func each(t *testing.T, body func(t *testing.T, s blob.Store)) {
	for kind, url := range map[string]func(t *testing.T) string{
		"file":     func(t *testing.T) string { return "file:" + filepath.Join(t.TempDir(), "made", "at need") },
		"s3":       bucket,
		"postgres": func(t *testing.T) string { return sql.Postgres(t).URL },
	} {
		t.Run(kind, func(t *testing.T) {
			s, err := blob.Open(t.Context(), blob.Config{URL: url(t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			body(t, s)
		})
	}
}

// bucket is a bucket on a server of its own.
func bucket(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("payloads"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(srv.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	return "s3://payloads/some/where?plaintext=true&endpoint=" + strings.TrimPrefix(srv.URL, "http://")
}

func TestPayloadsAreKept(t *testing.T) {
	each(t, func(t *testing.T, s blob.Store) {
		now := time.Date(2026, 1, 31, 23, 0, 0, 0, time.FixedZone("", -3600*5))
		for _, size := range []int{1, 5 << 20} {
			data := bytes.Repeat([]byte{byte(size), 'x'}, size)[:size]
			ref, err := blob.Put(t.Context(), s, "payment", data, now)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := blob.Put(t.Context(), s, "payment", data, now); err != nil || again != ref {
				t.Errorf("put again: %v %v, want %v", again, err, ref)
			}
			if !strings.HasPrefix(ref.Name, "payment/2026-02-01/") {
				t.Errorf("name %s is not of the owner and the UTC day", ref.Name)
			}
			got, err := blob.Fetch(t.Context(), s, ref, 8<<20)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
			}
			if err := s.Delete(t.Context(), ref.Name); err != nil {
				t.Error(err)
			}
			if err := s.Delete(t.Context(), ref.Name); err != nil {
				t.Errorf("delete what is gone: %v", err)
			}
			if _, err := blob.Fetch(t.Context(), s, ref, 8<<20); !errors.Is(err, blob.ErrNotFound) || !blob.Final(err) {
				t.Errorf("fetch what is gone: %v", err)
			}
		}
	})
}

func TestAPayloadIsTheOneThatWasPut(t *testing.T) {
	each(t, func(t *testing.T, s blob.Store) {
		ref, err := blob.Put(t.Context(), s, "payment", []byte("honest"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string]blob.Ref{
			"size": {Name: ref.Name, Size: ref.Size + 1, Sum: ref.Sum},
			"sum":  {Name: ref.Name, Size: ref.Size, Sum: strings.Repeat("0", 64)},
		} {
			var corrupt *blob.CorruptError
			if _, err := blob.Fetch(t.Context(), s, bad, 100); !errors.As(err, &corrupt) || !blob.Final(err) {
				t.Errorf("wrong %s: %v", name, err)
			}
		}
		for _, limit := range []int64{1, ref.Size - 1} {
			lying := ref
			lying.Size = limit // passes the first look
			if _, err := blob.Fetch(t.Context(), s, lying, limit); !errors.Is(err, blob.ErrTooLarge) {
				t.Errorf("limit %d: %v", limit, err)
			}
			if _, err := blob.Fetch(t.Context(), s, ref, limit); !errors.Is(err, blob.ErrTooLarge) {
				t.Errorf("limit %d: %v", limit, err)
			}
		}
	})
}

func TestNamesStayInTheirStore(t *testing.T) {
	each(t, func(t *testing.T, s blob.Store) {
		for _, name := range []string{"", ".", "/etc/passwd", "../x", "a/../../x", "a//b", "a\x00b", "a b", strings.Repeat("x", 501)} {
			if err := s.Put(t.Context(), name, nil); err == nil {
				t.Errorf("%q was put", name)
			}
			if _, err := s.Get(t.Context(), name, 10); !errors.Is(err, blob.ErrNotFound) {
				t.Errorf("get %q: %v", name, err)
			}
			if err := s.Delete(t.Context(), name); err == nil {
				t.Errorf("%q was deleted", name)
			}
		}
	})
}

func TestASymbolicLinkLeadsNowhere(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, err := blob.Open(t.Context(), blob.Config{URL: "file:" + dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if data, err := s.Get(t.Context(), "link", 100); err == nil {
		t.Errorf("read %q", data)
	}
}

func TestEachListsOnesOwn(t *testing.T) {
	each(t, func(t *testing.T, s blob.Store) {
		began := time.Now().Add(-time.Minute)
		var want []string
		for i := range 7 {
			ref, err := blob.Put(t.Context(), s, "payment", []byte{byte(i)}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, ref.Name)
		}
		if _, err := blob.Put(t.Context(), s, "payments", []byte("another's"), time.Now()); err != nil {
			t.Fatal(err)
		}
		var got []string
		err := s.Each(t.Context(), "payment/", func(o blob.Object) error {
			if o.Size != 1 || o.At.Before(began) || o.At.After(time.Now().Add(time.Minute)) {
				t.Errorf("object %+v", o)
			}
			got = append(got, o.Name)
			return s.Delete(t.Context(), o.Name)
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
		stop := errors.New("enough")
		if err := s.Each(t.Context(), "payments/", func(blob.Object) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("each ended with %v", err)
		}
		if err := s.Each(t.Context(), "nobody/", func(blob.Object) error { return stop }); err != nil {
			t.Errorf("each of nothing: %v", err)
		}
	})
}

func TestManyPutAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s blob.Store) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				data := bytes.Repeat([]byte{byte(i % 3)}, 1000)
				ref, err := blob.Put(context.WithoutCancel(t.Context()), s, "payment", data, time.Now())
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := blob.Fetch(t.Context(), s, ref, 1000); err != nil || !bytes.Equal(got, data) {
					t.Errorf("fetched %d bytes: %v", len(got), err)
				}
			})
		}
		wg.Wait()
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	good := bucket(t)
	for url, want := range map[string]string{
		"":                 "URL is empty",
		"ftp://x":          "stores are file, s3 and postgres",
		"file:":            "is neither file:DIR",
		"s3:///x":          "names no bucket",
		"s3://id:key@b/x":  "keys do not belong in the URL",
		"s3://b?endpont=x": `parameter "endpont" is not known`,
		strings.Replace(good, "payloads", "others", 1): "there is no bucket others",
		"postgres://u:hidden@127.0.0.1:1/x":            "postgres://u:xxxxx@127.0.0.1:1/x",
	} {
		_, err := blob.Open(t.Context(), blob.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v, want %s", url, err, want)
		}
	}
}

// A store that can't be reached is the infrastructure's trouble.
func TestAStoreThatIsAwayIsUnavailable(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("payloads"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(backend).Server())
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s, err := blob.Open(t.Context(), blob.Config{URL: "s3://payloads?region=us-east-1&plaintext=true&endpoint=" + strings.TrimPrefix(srv.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.Get(ctx, "a", 1); !leat.IsUnavailable(err) || blob.Final(err) {
		t.Errorf("get: %v", err)
	}
	if err := s.Put(ctx, "a", nil); !leat.IsUnavailable(err) {
		t.Errorf("put: %v", err)
	}
}

func FuzzRefOf(f *testing.F) {
	f.Add("payment/2026-01-31/x", "12", strings.Repeat("a", 64))
	f.Add("../x", "-1", "zz")
	f.Fuzz(func(t *testing.T, name, size, sum string) {
		ref, ok, err := blob.RefOf(headers{blob.HeaderName: name, blob.HeaderSize: size, blob.HeaderSum: sum})
		if !ok || err != nil {
			return
		}
		again := headers{}
		for _, h := range ref.Headers() {
			again[h.Key] = string(h.Value)
		}
		if back, ok, err := blob.RefOf(again); back != ref || !ok || err != nil {
			t.Errorf("%+v came back as %+v: %v", ref, back, err)
		}
		if ref.Size < 0 || strings.Contains(ref.Name, "..") && slices.Contains(strings.Split(ref.Name, "/"), "..") {
			t.Errorf("%+v is no reference", ref)
		}
	})
}

// headers is a record that has headers only.
type headers map[string]string

func (h headers) Header(name string) string { return h[name] }

func Example() {
	dir, err := os.MkdirTemp("", "payloads")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := blob.Open(ctx, blob.Config{URL: "file:" + dir})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	ref, err := blob.Put(ctx, store, "payment", []byte("a large receipt"), time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	data, err := blob.Fetch(ctx, store, ref, 1<<20)
	fmt.Printf("%.30s... %s %v\n", ref.Name, data, err)
	// Output: payment/2026-01-31/0eb7a3db142... a large receipt <nil>
}
