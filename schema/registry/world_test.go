package registry

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/sqldb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// logs are all kinds of log that there are, each made empty.
var logs = map[string]func(testing.TB) Log{
	"memory": func(testing.TB) Log { return NewMemory() },
	"sqlite": func(t testing.TB) Log { return openSQLite(t, filepath.Join(t.TempDir(), "registry.db")) },
	"kfake":  func(t testing.TB) Log { return openKafka(t, Clusters["kfake"](t), "", "") },
	"kafka":  func(t testing.TB) Log { return openKafka(t, Clusters["kafka"](t), "", "") },
}

// another is what a second registry of the same log opens.
func another(t testing.TB, log Log) Log {
	switch log := log.(type) {
	case *SQLite:
		return openSQLite(t, strings.TrimPrefix(log.db.URL(), "sqlite:"))
	case *Kafka:
		return openKafka(t, log.cfg.Connect, log.cfg.Topic, log.cfg.Group)
	}
	return log
}

func openSQLite(t testing.TB, file string) *SQLite {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: "sqlite:" + file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	log, err := OpenSQLite(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// eachLog runs a test on every kind of log.
func eachLog(t *testing.T, body func(t *testing.T, log Log)) {
	for name, open := range logs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body(t, open(t))
		})
	}
}

// quiet keeps the log of a test out of its output, but for -v.
func quiet(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.DiscardHandler)
}

// start runs a registry until the test ends.
func start(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, _ := startUntil(t, cfg)
	return s
}

// startUntil runs a registry until stop is called, or the test ends.
func startUntil(t testing.TB, cfg Config) (s *Server, stop func()) {
	t.Helper()
	if k, ok := cfg.Log.(*Kafka); ok && cfg.Listen == "" && k.cfg.URL != "" {
		cfg.Listen = net.JoinHostPort(k.me.Host, strconv.Itoa(k.me.Port))
	}
	if cfg.Languages == nil {
		cfg.Languages = tinyLanguages()
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet(t)
	}
	if cfg.LogTimeout == 0 {
		cfg.LogTimeout = time.Minute // a machine that stalls is no log that is away
	}
	var err error
	s, err = New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the registry ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("the registry did not start: %v", err)
	}
	if k, ok := cfg.Log.(*Kafka); ok {
		seated(t, k)
	}
	return s, stop
}

// ask sends one request; header are pairs of names and values.
func ask(t testing.TB, s *Server, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, timeless(string(text)), answer.Header
}

var stamp = regexp.MustCompile(`,"ts":[1-9][0-9]{12}\b`)

// timeless takes the times of records out of an answer.
func timeless(text string) string { return stamp.ReplaceAllString(text, "") }
