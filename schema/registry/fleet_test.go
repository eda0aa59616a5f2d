package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema/registry"
)

// fleet are registries of one log in Kafka, each a process, and clients that register all the time.
type fleet struct {
	cluster      kafka.Config // as the test reaches it
	topic, group string
	urls         []string // sorted: the first that lives leads
	programs     map[string]*server.Program

	mu  sync.Mutex
	ids map[string]string // of what was answered; guarded by mu
}

// launch starts n registries that reach Kafka at brokers, after before.
func launch(t *testing.T, cluster kafka.Config, brokers []string, n int, before ...func(*fleet)) *fleet {
	t.Helper()
	addrs, err := server.FreeAddrs(n)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{cluster: cluster, topic: leattest.Name("_schemas"), group: leattest.Name("schema-registry"), programs: map[string]*server.Program{}, ids: map[string]string{}}
	for _, do := range before {
		do(f)
	}
	for _, addr := range addrs {
		url := "http://" + addr
		what, err := json.Marshal(map[string]any{"Brokers": brokers, "Topic": f.topic, "Group": f.group, "URL": url})
		if err != nil {
			t.Fatal(err)
		}
		log := filepath.Join(t.TempDir(), "log")
		p, err := server.StartProgram(server.ProgramConfig{Argv: []string{os.Args[0]}, Env: []string{"LEAT_REGISTRY_KAFKA=" + string(what)}, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s said:\n%s", url, p.LogTail(20))
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		f.urls, f.programs[url] = append(f.urls, url), p
	}
	slices.Sort(f.urls)
	for _, url := range f.urls {
		f.answers(t, url)
	}
	return f
}

// answers waits until a registry has read the log.
func (f *fleet) answers(t *testing.T, url string) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, url+" answers", func() error {
		status, text := f.ask(http.MethodGet, url+"/subjects", "", time.Second)
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
}

// ask is 0 where there is no answer.
func (f *fleet) ask(method, url, body string, patience time.Duration) (status int, text string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(all)
}

// register asks a registry once and keeps what it answers.
func (f *fleet) register(t *testing.T, url, field string, patience time.Duration) error {
	subject := fmt.Sprintf("s%d", len(field)%3)
	status, text := f.ask(http.MethodPost, url+"/subjects/"+subject+"/versions", fmt.Sprintf(`{"schema":"{\"%s\":false}"}`, field), patience)
	switch {
	case status == 0, status >= 500:
		return fmt.Errorf("%d %s", status, text) // it may be in the log or not
	case status != http.StatusOK:
		t.Errorf("%s: %d %s", field, status, text)
	}
	var answer struct {
		ID json.Number `json:"id"`
	}
	if err := json.NewDecoder(bytes.NewBufferString(text)).Decode(&answer); err != nil {
		t.Errorf("%s: %v in %s", field, err, text)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.ids[field]; old != "" && old != answer.ID.String() {
		t.Errorf("%s has the ids %s and %s", field, old, answer.ID)
	}
	f.ids[field] = answer.ID.String()
	return nil
}

// load registers from several clients until stop is called, each schema at any registry until one
// answers, and once more then.
func (f *fleet) load(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				field := fmt.Sprintf("c%d_%s%d", client, strings.Repeat("x", n%3), n)
				for answered := 0; answered < 2 && ctx.Err() == nil; {
					if f.register(t, f.urls[rand.IntN(len(f.urls))], field, 3*time.Second) == nil {
						answered++
						continue
					}
					select {
					case <-ctx.Done():
					case <-time.After(50 * time.Millisecond):
					}
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); clients.Wait() })
	t.Cleanup(stop)
	return stop
}

// goesOn waits until more schemas have their ids.
func (f *fleet) goesOn(t *testing.T, more int) {
	t.Helper()
	had := f.registered()
	leattest.Within(t, 3*time.Minute, "schemas are registered", func() error {
		if n := f.registered() - had; n < more {
			return fmt.Errorf("%d of %d", n, more)
		}
		return nil
	})
}

func (f *fleet) registered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.ids)
}

// audit reads the log.
func (f *fleet) audit(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	texts := map[string]string{}
	for field, id := range f.ids {
		if other := texts[id]; other != "" {
			t.Errorf("id %s is %s and %s", id, other, field)
		}
		texts[id] = field
	}
	registry.Audit(t, f.cluster, f.topic, f.group, f.ids)
	t.Logf("%d schemas", len(f.ids))
}

// TestRegistriesAreKilledAndFrozenUnderWriters kills the one of three that leads, and freezes it for
// longer than its session so that it wakes up in the middle of what it did when another led already.
func TestRegistriesAreKilledAndFrozenUnderWriters(t *testing.T) {
	t.Parallel()
	cluster := registry.Clusters["kafka"](t)
	f := launch(t, cluster, cluster.Brokers, 3)
	stop := f.load(t)
	f.goesOn(t, 20)
	leader := f.programs[f.urls[0]]
	for range 2 {
		if err := leader.Kill(); err != nil {
			t.Fatal(err)
		}
		f.goesOn(t, 20)
		if err := leader.Restart(); err != nil {
			t.Fatal(err)
		}
		f.answers(t, f.urls[0])
		f.goesOn(t, 20)
		if err := leader.Stop(); err != nil {
			t.Fatal(err)
		}
		f.goesOn(t, 20) // the others waited for the session's end, and lead
		if err := leader.Cont(); err != nil {
			t.Fatal(err)
		}
		f.answers(t, f.urls[0])
		f.goesOn(t, 20)
	}
	stop()
	f.audit(t)
}

// TestAForeignMemberIsInTheGroup has a program among the registries that speaks the protocol of
// Confluent's alone, so that ours write without transactions, and kills the one that leads.
func TestAForeignMemberIsInTheGroup(t *testing.T) {
	t.Parallel()
	cluster := registry.Clusters["kafka"](t)
	f := launch(t, cluster, cluster.Brokers, 2)
	stop := f.load(t)
	f.goesOn(t, 20)
	leave := registry.Foreigner(t, cluster, f.group)
	f.goesOn(t, 20)
	leader := f.programs[f.urls[0]]
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	f.goesOn(t, 20)
	if err := leader.Restart(); err != nil {
		t.Fatal(err)
	}
	f.answers(t, f.urls[0])
	f.goesOn(t, 20)
	leave()
	f.goesOn(t, 20)
	stop()
	f.audit(t)
}

// TestReadsGoOnWhileKafkaIsAway lets a cluster of the test's own hang, die and come back: what was read is
// answered all the time, and what is written meanwhile is an error or waits.
func TestReadsGoOnWhileKafkaIsAway(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka: layer 2, not under -short")
	}
	t.Parallel()
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	f := launch(t, kafka.Config{Brokers: k.Brokers()}, k.Brokers(), 2)
	stop := f.load(t)
	f.goesOn(t, 20)
	for _, url := range f.urls { // one that does not lead reads it later
		leattest.Within(t, 3*time.Minute, url+" has read the first schema", func() error {
			if status, text := f.ask(http.MethodGet, url+"/schemas/ids/1", "", 3*time.Second); status != http.StatusOK {
				return fmt.Errorf("%d %s", status, text)
			}
			return nil
		})
	}
	for _, fault := range []struct {
		name        string
		begin, ends func() error
	}{
		{"hangs", func() error { return k.Stop(1) }, func() error { return k.Cont(1) }},
		{"is killed", func() error { return k.Kill(1) }, func() error { return k.Restart(t.Context(), 1) }},
	} {
		if err := fault.begin(); err != nil {
			t.Fatal(err)
		}
		if err := f.register(t, f.urls[0], "during_"+fault.name, 12*time.Second); err == nil {
			t.Errorf("Kafka %s, and a schema was registered", fault.name)
		}
		for _, url := range f.urls {
			if status, text := f.ask(http.MethodGet, url+"/schemas/ids/1", "", 30*time.Second); status != http.StatusOK {
				t.Errorf("Kafka %s, and a read at %s: %d %s", fault.name, url, status, text)
			}
		}
		if err := fault.ends(); err != nil {
			t.Fatal(err)
		}
		f.goesOn(t, 20)
		leattest.Within(t, 3*time.Minute, "the schema is registered after all", func() error {
			return f.register(t, f.urls[1], "during_"+fault.name, 3*time.Second)
		})
	}
	stop()
	f.audit(t)
}
