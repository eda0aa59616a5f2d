package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/leattest/server"
)

// registryCase asks schema registries, each a process of its own that keeps its schemas in memory: it
// registers orders, each under a subject of its own, gets them by id, and asks for verdicts. All is
// asked once before it counts, so that a JVM has compiled what it runs.
func registryCase() benchCase {
	return benchCase{
		records: 1_000, contenders: []string{"leat", "apicurio"}, ownBroker: true,
		measure: func(ctx context.Context, o options, contender string, _ int) (figures, error) {
			r, err := startRegistry(ctx, contender)
			if err != nil {
				return figures{}, err
			}
			defer r.stop()
			f := figures{Records: 3 * o.records, StartSeconds: r.took.Seconds(), Phases: map[string]figures{}}
			for _, set := range []string{"warm", "told"} {
				for _, p := range registryPhases {
					one, err := r.phase(ctx, set, p, o.records)
					if err != nil {
						return figures{}, fmt.Errorf("%s: %w", p.name, err)
					}
					if set == "told" {
						one.fill()
						f.Phases[p.name] = one
						f.Seconds += one.Seconds
						f.CPUSeconds += one.CPUSeconds
					}
				}
			}
			f.fill()
			f.RSSBytes, f.OwnBytes, f.PeakRSSBytes = rssOf(r.pid, "VmRSS"), rssOf(r.pid, "RssAnon"), rssOf(r.pid, "VmHWM")
			return f, nil
		},
	}
}

// registryClients is how many ask at once, each on a connection of its own.
const registryClients = 16

// registryPhase is one kind of request; path and body are those of the i-th schema of a set.
type registryPhase struct {
	name, method string
	path         func(r *registryProcess, subject string, i int) string
	field        string // of the order, besides its own; "": no body
}

var registryPhases = []registryPhase{
	{"register", http.MethodPost, func(_ *registryProcess, subject string, _ int) string {
		return "/subjects/" + subject + "/versions"
	}, "note"},
	{"by id", http.MethodGet, func(r *registryProcess, _ string, i int) string {
		return "/schemas/ids/" + strconv.Itoa(r.ids[i])
	}, ""},
	{"verdict", http.MethodPost, func(_ *registryProcess, subject string, _ int) string {
		return "/compatibility/subjects/" + subject + "/versions/latest"
	}, "coupon"},
}

type registryProcess struct {
	url  string
	pid  int
	took time.Duration
	stop func()
	http *http.Client
	ids  []int // of the schemas that were registered last
}

func startRegistry(ctx context.Context, contender string) (*registryProcess, error) {
	r := &registryProcess{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: registryClients}, Timeout: time.Minute}}
	if contender == "apicurio" {
		a, err := server.StartApicurio(ctx, server.ApicurioConfig{Flags: []string{"-Xmx512m"}})
		if err != nil {
			return nil, err
		}
		r.url, r.pid, r.took, r.stop = a.URL(), a.PID(), a.Took(), func() { _ = a.Close() }
	} else if err := r.startLeat(ctx, "--store", "memory"); err != nil {
		return nil, err
	}
	// Apicurio judges by what is set, and at first nothing is.
	return r, r.ask(ctx, http.MethodPut, "/config", `{"compatibility":"BACKWARD"}`, nil)
}

// startLeat runs the binary until it answers.
func (r *registryProcess) startLeat(ctx context.Context, args ...string) error {
	bin, err := leatBinary()
	if err != nil {
		return err
	}
	addrs, err := server.FreeAddrs(1)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "leat-bench-")
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := server.StartProgram(server.ProgramConfig{Argv: append([]string{bin, "registry", "serve", "--listen", addrs[0]}, args...), Log: filepath.Join(dir, "log")})
	if err != nil {
		return errors.Join(fmt.Errorf("run %s (build it with make build): %w", bin, err), os.RemoveAll(dir))
	}
	r.url, r.pid = "http://"+addrs[0], p.PID()
	r.stop = func() { _ = errors.Join(p.Close(), os.RemoveAll(dir)) }
	for r.ask(ctx, http.MethodGet, "/subjects?subjectPrefix=none", "", nil) != nil {
		select {
		case <-p.Done():
			defer r.stop()
			return fmt.Errorf("leat ended: %s", p.LogTail(10))
		case <-ctx.Done():
			defer r.stop()
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	r.took = time.Since(began)
	return nil
}

// phase sends one kind of request for each schema of a set and measures the process that answers.
func (r *registryProcess) phase(ctx context.Context, set string, p registryPhase, n int) (figures, error) {
	if p.name == "register" {
		r.ids = make([]int, n)
	}
	took := make([]time.Duration, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	cpu, err := cpuOf(r.pid)
	if err != nil {
		return figures{}, err
	}
	began := time.Now()
	var wg sync.WaitGroup
	for range registryClients {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				subject := fmt.Sprintf("%s-%d", set, i)
				body := ""
				if p.field != "" {
					body = registryBody(subject, p.field)
				}
				var answer struct {
					ID   int   `json:"id"`
					Fine *bool `json:"is_compatible"`
				}
				asked := time.Now()
				err := r.ask(ctx, p.method, p.path(r, subject, i), body, &answer)
				took[i] = time.Since(asked)
				if answer.Fine != nil && !*answer.Fine {
					err = errors.New("a wrong verdict")
				}
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
				if p.name == "register" {
					r.ids[i] = answer.ID
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return figures{}, *err
	}
	f := figures{Records: n, Seconds: time.Since(began).Seconds(), Milliseconds: percentiles(took)}
	after, err := cpuOf(r.pid)
	f.CPUSeconds = after - cpu
	return f, err
}

// registryBody is an order's schema with a field of the subject's, so that no two are one, and another.
func registryBody(subject, field string) string {
	text := fmt.Sprintf(`{"type":"record","name":"Order","namespace":"bench","fields":[{"name":"order_id","type":"string"},{"name":"customer_id","type":"string"},{"name":"currency","type":"string"},`+
		`{"name":"placed_at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"total","type":"long"},{"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[`+
		`{"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"unit_price","type":"long"}]}}},{"name":%q,"type":["null","string"],"default":null},{"name":%q,"type":"string","default":""}]}`,
		"of_"+strings.ReplaceAll(subject, "-", "_"), field)
	body, err := json.Marshal(map[string]string{"schema": text})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func (r *registryProcess) ask(ctx context.Context, method, path, body string, into any) error {
	q, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	answer, err := r.http.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// cpuOf is the CPU time of a process so far, in seconds.
func cpuOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of the registry: %w", err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return float64(user+system) / 100, errors.Join(err1, err2) // USER_HZ
}

// rssOf is a line of a process's status in bytes: VmRSS, what it holds, RssAnon, that without what it maps
// of files, or VmHWM, what it held at most.
func rssOf(pid int, line string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), line+":")
	kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10
}

// registryStart is how long leat's registry takes until it answers, and what it holds then, by what is
// in its log.
func registryStart() benchCase {
	c := benchCase{records: 1, contenders: []string{"sqlite-1000", "sqlite-10000"}, ownBroker: true}
	if os.Getenv("LEAT_TEST_KAFKA") != "" {
		c.contenders = append(c.contenders, "kafka-10000")
	}
	c.measure = func(ctx context.Context, o options, contender string, round int) (figures, error) {
		store, number, _ := strings.Cut(contender, "-")
		n, err := strconv.Atoi(number)
		if err != nil {
			return figures{}, err
		}
		args, err := storeOf(store, n)
		if err != nil {
			return figures{}, err
		}
		if round == 0 {
			if err := fillRegistry(ctx, n, args); err != nil {
				return figures{}, fmt.Errorf("fill it: %w", err)
			}
		}
		if file, ok := strings.CutPrefix(args[1], "sqlite:"); ok && round == o.rounds-1 {
			defer os.RemoveAll(filepath.Dir(file))
		}
		r := &registryProcess{http: http.DefaultClient}
		if err := r.startLeat(ctx, args...); err != nil {
			return figures{}, err
		}
		defer r.stop()
		cpu, err := cpuOf(r.pid)
		if err != nil {
			return figures{}, err
		}
		var last struct{ Version int }
		if err := r.ask(ctx, http.MethodGet, "/subjects/s-"+strconv.Itoa(n-1)+"/versions/latest", "", &last); err != nil || last.Version != 1 {
			return figures{}, cmp.Or(err, errors.New("a schema is missing"))
		}
		f := figures{Records: 1, Seconds: r.took.Seconds(), CPUSeconds: cpu, StartSeconds: r.took.Seconds()}
		f.fill()
		f.RSSBytes, f.OwnBytes, f.PeakRSSBytes = rssOf(r.pid, "VmRSS"), rssOf(r.pid, "RssAnon"), rssOf(r.pid, "VmHWM")
		return f, nil
	}
	return c
}

// storeOf is a log of n schemas that stays between rounds.
func storeOf(store string, n int) ([]string, error) {
	if store == "kafka" {
		brokers, err := env("LEAT_TEST_KAFKA")
		name := fmt.Sprintf("_schemas-bench-%d-%d", n, os.Getpid())
		return []string{"--store", "kafka", "--kafka", brokers, "--topic", name, "--group", name}, err
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("leat-bench-%d-%d", os.Getpid(), n))
	return []string{"--store", "sqlite:" + filepath.Join(dir, "schemas.db")}, os.MkdirAll(dir, 0o755)
}

// fillRegistry registers n schemas, each under a subject of its own.
func fillRegistry(ctx context.Context, n int, args []string) error {
	r := &registryProcess{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: registryClients}}}
	if err := r.startLeat(ctx, args...); err != nil {
		return err
	}
	defer r.stop()
	_, err := r.phase(ctx, "s", registryPhases[0], n)
	return err
}
