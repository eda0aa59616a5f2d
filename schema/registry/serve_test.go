package registry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/sqldb"
)

// TestMain lets the test's binary be a registry that can be killed.
func TestMain(m *testing.M) {
	if file := os.Getenv("LEAT_REGISTRY_FILE"); file != "" {
		if err := serveFile(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if what := os.Getenv("LEAT_REGISTRY_KAFKA"); what != "" {
		if err := serveKafka(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveFile(file string) error {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, sqldb.Config{URL: "sqlite:" + file})
	if err != nil {
		return err
	}
	log, err := OpenSQLite(ctx, db)
	if err != nil {
		return err
	}
	s, err := New(Config{Log: log, Languages: tinyLanguages()})
	if err != nil {
		return err
	}
	go func() {
		<-s.Ready()
		fmt.Println(s.URL())
	}()
	return s.Run(ctx)
}

// TestAKilledRegistryGivesNoIDTwice registers from several clients and kills the process in the
// middle, again and again: no id is two schemas, no schema has two ids, nothing that was answered is
// lost.
func TestAKilledRegistryGivesNoIDTwice(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "registry.db")
	var mu sync.Mutex
	ids := map[string]string{} // schema -> id, as answered
	texts := map[string]string{}
	fields := 0
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LEAT_REGISTRY_FILE="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		url, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		url = strings.TrimSpace(url)
		var clients sync.WaitGroup
		enough, killed := make(chan struct{}, 1000), make(chan struct{})
		for client := range 4 {
			clients.Go(func() {
				for n := 0; !closed(killed); n++ {
					field := fmt.Sprintf("f%d_%d", round, n)
					body := fmt.Sprintf(`{"schema":"{\"%s\":false}"}`, field)
					answer, err := http.Post(fmt.Sprintf("%s/subjects/s%d/versions", url, (client+n)%3), "application/json", strings.NewReader(body))
					if err != nil {
						continue // killed, or the connection was too slow
					}
					text, err := bufio.NewReader(answer.Body).ReadString('}')
					answer.Body.Close()
					if err != nil || answer.StatusCode >= http.StatusInternalServerError {
						continue // it may be in the log or not
					}
					if answer.StatusCode != http.StatusOK {
						t.Errorf("%d %s", answer.StatusCode, text)
						return
					}
					_, rest, _ := strings.Cut(text, `"id":`)
					id, _, _ := strings.Cut(rest, ",")
					mu.Lock()
					if old := ids[field]; old != "" && old != id {
						t.Errorf("%s has the ids %s and %s", field, old, id)
					}
					if old := texts[id]; old != "" && old != field {
						t.Errorf("id %s is %s and %s", id, old, field)
					}
					ids[field], texts[id] = id, field
					fields = len(ids)
					mu.Unlock()
					select {
					case enough <- struct{}{}:
					default:
					}
				}
			})
		}
		gone := make(chan struct{})
		go func() { // ends with the clients
			clients.Wait()
			close(gone)
		}()
		for range 20 + 7*round {
			select {
			case <-enough:
			case <-gone:
				t.Error("the clients have given up before the registry was killed")
			}
		}
		err = cmd.Process.Kill()
		close(killed)
		if err != nil {
			t.Fatal(err)
		}
		<-gone
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			return
		}
	}
	s := start(t, Config{Log: openSQLite(t, file)})
	s.look(func(st *state) {
		if st.poisoned > 0 {
			t.Errorf("poison: %+v", st.poison)
		}
		consistent(t, st)
		for field, id := range ids {
			n, _ := strconv.Atoi(id)
			if v := st.byID(int32(n), ""); v == nil || !strings.Contains(v.contract.text, `"`+field+`"`) {
				t.Errorf("id %s of %s is lost", id, field)
			}
		}
	})
	t.Logf("%d schemas, 8 kills", fields)
}

// closed tells whether a channel on which nothing is sent is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// caughtUp waits until the registry has read all that is in its log.
func caughtUp(t *testing.T, s *Server) {
	t.Helper()
	eventually(t, "the log is read", func() error {
		end, err := s.cfg.Log.End(t.Context())
		if err == nil {
			err = s.reach(t.Context(), end)
		}
		return err
	})
}

// TestRegistriesThatShareALogGiveNoIDTwice runs two registries on one log, under many clients.
func TestRegistriesThatShareALogGiveNoIDTwice(t *testing.T) {
	eachLog(t, func(t *testing.T, log Log) {
		both := []*Server{start(t, Config{Log: log}), start(t, Config{Log: another(t, log)})}
		var clients sync.WaitGroup
		for client := range 6 {
			clients.Go(func() {
				for n := range 10 {
					body := fmt.Sprintf(`{"schema":"{\"f%d\":false}"}`, (n+client)%10) // each in another order: the same ids in the same order would fit by chance
					eventually(t, "a schema is registered", func() error {
						if status, answer, _ := ask(t, both[client%2], "POST", fmt.Sprintf("/subjects/s%d/versions", client), body); status != 200 {
							return fmt.Errorf("%d %s", status, answer)
						}
						return nil
					})
				}
			})
		}
		clients.Wait()
		for _, s := range both {
			caughtUp(t, s)
			s.look(func(st *state) {
				if st.live != 60 || st.contexts["."].highest != 10 {
					t.Errorf("%d versions, ids up to %d", st.live, st.contexts["."].highest)
				}
				consistent(t, st)
			})
		}
	})
}

// TestFranzGoClient uses the registry as a client of others does.
func TestFranzGoClient(t *testing.T) {
	eachLog(t, func(t *testing.T, log Log) {
		ctx := t.Context()
		s := start(t, Config{Log: log, Languages: []schema.Language{avro.Language}})
		cl, err := sr.NewClient(sr.URLs(s.URL()))
		if err != nil {
			t.Fatal(err)
		}
		record := func(fields string) sr.Schema {
			return sr.Schema{Schema: `{"type":"record","name":"R","fields":[` + fields + `]}`}
		}
		a := `{"name":"a","type":"long"}`
		first, err := cl.CreateSchema(ctx, "r", record(a))
		if err != nil || first.ID != 1 || first.Version != 1 {
			t.Fatalf("%+v %v", first, err)
		}
		_, err = cl.CreateSchema(ctx, "r", record(a+`,{"name":"b","type":"long"}`))
		if code(err) != 409 || !strings.Contains(err.Error(), "READER_FIELD_MISSING_DEFAULT_VALUE") {
			t.Errorf("an incompatible schema: %v", err)
		}
		if next, err := cl.CreateSchema(ctx, "r", record(a+`,{"name":"b","type":"long","default":0}`)); err != nil || next.ID != 2 {
			t.Errorf("%+v %v", next, err)
		}
		if got, err := cl.SchemaByVersion(ctx, "r", -1); err != nil || got.Version != 2 {
			t.Errorf("latest: %+v %v", got, err)
		}
		if got, err := cl.LookupSchema(ctx, "r", record(a)); err != nil || got.ID != 1 {
			t.Errorf("lookup: %+v %v", got, err)
		}
		if got, err := cl.SchemaByID(ctx, 1); err != nil || !strings.Contains(got.Schema, `"long"`) {
			t.Errorf("by id: %+v %v", got, err)
		}
		if got, err := cl.CheckCompatibility(ctx, "r", -1, record(`{"name":"a","type":"string"}`)); err != nil || got.Is {
			t.Errorf("compatibility: %+v %v", got, err)
		}
		if got := cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, "r"); got[0].Err != nil || got[0].Level != sr.CompatNone {
			t.Errorf("set compatibility: %+v", got)
		}
		if got := cl.SetMode(ctx, sr.ModeReadOnly, "r"); got[0].Err != nil {
			t.Errorf("set mode: %+v", got)
		}
		if _, err := cl.DeleteSubject(ctx, "r", sr.SoftDelete); code(err) != 42205 {
			t.Errorf("delete what is read only: %v", err)
		}
		if got := cl.ResetMode(ctx, "r"); got[0].Err != nil {
			t.Errorf("reset mode: %+v", got)
		}
		if _, err := cl.DeleteSubject(ctx, "r", sr.HardDelete); code(err) != 40405 {
			t.Errorf("delete for good at once: %v", err)
		}
		if got, err := cl.DeleteSubject(ctx, "r", sr.SoftDelete); err != nil || len(got) != 2 {
			t.Errorf("delete: %v %v", got, err)
		}
		if got, err := cl.Subjects(sr.WithParams(ctx, sr.ShowDeleted)); err != nil || len(got) != 1 {
			t.Errorf("subjects: %v %v", got, err)
		}
	})
}

// code is the error code that the client was told.
func code(err error) int {
	if answer, ok := errors.AsType[*sr.ResponseError](err); ok {
		return answer.ErrorCode
	}
	return 0
}

// TestSomeoneMustBeAllowed goes through rights, by password.
func TestSomeoneMustBeAllowed(t *testing.T) {
	t.Parallel()
	users, err := ReadUsers(strings.NewReader("# who\nann " + HashPassword("secret") + " write=orders-* read=open\n\nroot " + HashPassword("root") + " admin=*\nbot - read=*\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Log: NewMemory(), Users: users})
	as := func(name, password string) func(method, path, body string) string {
		return func(method, path, body string) string {
			r, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if name != "" {
				r.SetBasicAuth(name, password)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, _ := bufio.NewReader(answer.Body).ReadString('\n')
			return strconv.Itoa(answer.StatusCode) + " " + timeless(text)
		}
	}
	ann, root, nobody, wrong, bot := as("ann", "secret"), as("root", "root"), as("", ""), as("ann", "guess"), as("bot", "")
	const one = `{"schema":"{\"a\":true}"}`
	for i, c := range []struct {
		who                func(method, path, body string) string
		method, path, body string
		want               string
	}{
		{nobody, "GET", "/", "", "200"},
		{nobody, "GET", "/subjects", "", "401"},
		{wrong, "GET", "/subjects", "", "401"},
		{bot, "GET", "/subjects", "", "401"}, // by its certificate only
		{root, "POST", "/subjects/closed/versions", one, "200"},
		{root, "POST", "/subjects/open/versions", `{"schema":"{\"b\":true}"}`, "200"},
		{ann, "POST", "/subjects/open/versions", one, "403"},
		{ann, "POST", "/subjects/orders-value/versions", `{"schema":"{\"c\":true}"}`, "200"},
		{ann, "GET", "/subjects", "", `200 ["open","orders-value"]`},
		{ann, "GET", "/subjects/closed/versions/1", "", "403"},
		{ann, "GET", "/schemas/ids/1", "", "404"}, // of closed only
		{ann, "GET", "/schemas/ids/2", "", "200"},
		{ann, "GET", "/schemas/guids/f754c96b-4d5e-612d-51e6-5b4ba046b81c", "", "404"},
		{ann, "PUT", "/config/orders-value", `{"alias":"closed"}`, "403"},
		{root, "PUT", "/config/orders-old", `{"alias":"closed"}`, "200"},
		{ann, "GET", "/subjects/orders-old/versions/1", "", "403"}, // an alias opens nothing
		{ann, "PUT", "/config", `{"compatibility":"NONE"}`, "403"},
		{ann, "GET", "/leat/poison", "", "403"},
		{ann, "DELETE", "/subjects/orders-value?permanent=true", "", "403"},
		{ann, "DELETE", "/subjects/orders-value", "", "200"},
		{root, "DELETE", "/subjects/orders-value?permanent=true", "", "200"},
	} {
		if got := c.who(c.method, c.path, c.body); !strings.HasPrefix(got, c.want) {
			t.Errorf("%d: %s %s: %s, want %s", i, c.method, c.path, got, c.want)
		}
	}
}

// TestOthersGetInOnlyByTLSAndUsers is about where a registry listens.
func TestOthersGetInOnlyByTLSAndUsers(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true, ":0": false, "0.0.0.0:0": false, "registry:0": false} {
		_, err := New(Config{Listen: addr, Log: NewMemory(), Languages: tinyLanguages()})
		if (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
		if _, err := New(Config{Listen: addr, Log: NewMemory(), Languages: tinyLanguages(), Insecure: true}); err != nil {
			t.Errorf("%s, told so: %v", addr, err)
		}
	}
}

// TestContentTypes goes through what is understood and what is answered.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Log: NewMemory()})
	v1, v, plain := mediaTypes[0], mediaTypes[1], mediaTypes[2]
	for accept, want := range map[string]string{
		"": v1, "*/*": v1, "application/*": v1, plain: plain, v: v, v + "; q=0.5, " + plain: plain,
		"text/html, */*;q=0.1": v1, "text/html": "", "application/json;q=0": "",
	} {
		status, _, head := ask(t, s, "GET", "/subjects", "", "Accept", accept)
		if want == "" && status != 406 || want != "" && head.Get("Content-Type") != want {
			t.Errorf("Accept %q: %d %s, want %s", accept, status, head.Get("Content-Type"), want)
		}
	}
	for kind, want := range map[string]int{v1: 200, v: 200, plain + "; charset=utf-8": 200, "application/octet-stream": 200, "": 200, "text/plain": 415} {
		if status, _, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"{}"}`, "Content-Type", kind); status != want {
			t.Errorf("Content-Type %q: %d, want %d", kind, status, want)
		}
	}
	if _, _, head := ask(t, s, "GET", "/", "", "X-Request-ID", "mine"); head.Get("X-Request-ID") != "mine" || head.Get("Cache-Control") != "no-cache, no-store, must-revalidate" {
		t.Errorf("headers: %v", head)
	}
	if status, _, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"`+strings.Repeat("x", maxBody)+`"}`); status != 413 {
		t.Errorf("a large body: %d", status)
	}
	if status, got, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"{\"`+strings.Repeat("x", MaxRecord)+`\":false}"}`); status != 422 || !strings.Contains(got, "42209") {
		t.Errorf("a large schema: %d %s", status, got)
	}
}

// away is a log whose end or whose append fails.
type away struct {
	*Memory
	end, append error
	leader      string
	lost        bool // the append is carried out all the same
}

func (l *away) End(ctx context.Context) (int64, error) {
	if l.end != nil {
		return 0, l.end
	}
	return l.Memory.End(ctx)
}

func (l *away) Append(ctx context.Context, after int64, records []Record) (int64, error) {
	if l.append == nil || l.lost {
		next, err := l.Memory.Append(ctx, after, records)
		if l.append == nil || err != nil {
			return next, err
		}
	}
	return 0, l.append
}

func (l *away) Leader() (string, bool) { return l.leader, l.leader == "" }

// TestAWriteWhoseAnswerIsLostIsFoundAgain registers while the log fails.
func TestAWriteWhoseAnswerIsLostIsFoundAgain(t *testing.T) {
	t.Parallel()
	log := &away{Memory: NewMemory()}
	s := start(t, Config{Log: log, LogTimeout: 10 * time.Second})
	register := func() string {
		status, got, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"{\"a\":true}"}`)
		return strconv.Itoa(status) + " " + got
	}
	log.end = ErrUnavailable
	if got := register(); !strings.HasPrefix(got, `500 {"error_code":50001`) {
		t.Error(got)
	}
	log.end, log.append, log.lost = nil, errors.New("connection reset"), true
	if got := register(); !strings.HasPrefix(got, `500 {"error_code":50001`) || strings.Contains(got, "reset") {
		t.Error(got)
	}
	log.append = nil
	if got := register(); !strings.HasPrefix(got, `200 {"version":1,"id":1,`) {
		t.Error(got)
	}
	log.append, log.lost = ErrNotLeader, false
	if status, got, _ := ask(t, s, "POST", "/subjects/t/versions", `{"schema":"{\"z\":true}"}`); status != 500 || !strings.Contains(got, "50004") {
		t.Error(status, got)
	}
}

// TestFollowersForward sends writes to the registry that leads, once.
func TestFollowersForward(t *testing.T) {
	t.Parallel()
	shared := NewMemory()
	leader := start(t, Config{Log: shared})
	follower := start(t, Config{Log: &away{Memory: shared, append: ErrNotLeader, leader: leader.URL()}})
	status, got, _ := ask(t, follower, "POST", "/subjects/a%2Fb/versions?normalize=true", `{"schema":"{\"A\":true}"}`)
	if status != 200 || !strings.Contains(got, `{\"a\":true}`) {
		t.Errorf("%d %s", status, got)
	}
	if status, got, _ := ask(t, follower, "POST", "/subjects/s/versions", `{"schema":"{}"}`, "X-Forward", "true"); status != 500 || !strings.Contains(got, "50003") {
		t.Errorf("forwarded twice: %d %s", status, got)
	}
	caughtUp(t, follower)
	if _, got, _ := ask(t, follower, "GET", "/subjects", ""); got != `["a/b"]` {
		t.Error(got)
	}
}

// TestAFollowerKnowsWhatItHasRead registers at a follower what is a version already, while nobody
// leads or who leads is gone; what it has not read, and what was deleted, is left to the leader.
func TestAFollowerKnowsWhatItHasRead(t *testing.T) {
	t.Parallel()
	for name, leader := range map[string]string{"nobody leads": "", "the leader is gone": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := NewMemory()
			s := start(t, Config{Log: log})
			for _, schema := range []string{`{\"a\":true}`, `{\"a\":true,\"b\":false}`} {
				if status, got, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"`+schema+`"}`); status != 200 {
					t.Fatal(status, got)
				}
			}
			if status, got, _ := ask(t, s, "DELETE", "/subjects/s/versions/1", ""); status != 200 {
				t.Fatal(status, got)
			}
			follower := start(t, Config{Log: followed{log, leader}, LogTimeout: 100 * time.Millisecond})
			for body, want := range map[string]string{
				`{"schema":"{\"a\":true,\"b\":false}"}`:                         `200 {"version":2,"id":2,`,
				`{"schema":"{ \"a\":true, \"b\":false }"}`:                      `200 {"version":2,"id":2,`,
				`{"schema":"{\"a\":true,\"b\":false}","version":2,"id":2}`:      `200 {"version":2,"id":2,`,
				`{"schema":"{\"a\":true,\"b\":false}","version":-1}`:            `200 {"version":2,"id":2,`,
				`{"schema":"{\"a\":true,\"b\":false}","id":7}`:                  `500 {"error_code":5000`,
				`{"schema":"{\"a\":true}"}`:                                     `500 {"error_code":5000`, // deleted
				`{"schema":"{\"ref:x\":true}","references":[{"name":"x"}]}`:     `500 {"error_code":5000`, // perhaps not read yet
				`{"schema":"{\"a\":true,\"b\":false}","schemaType":"PROTOBUF"}`: `500 {"error_code":5000`,
			} {
				status, got, _ := ask(t, follower, "POST", "/subjects/s/versions", body)
				if got = strconv.Itoa(status) + " " + got; !strings.HasPrefix(got, want) {
					t.Errorf("%s: %s, want %s", body, got, want)
				}
			}
		})
	}
}
