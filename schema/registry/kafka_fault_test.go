package registry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// serveKafka is the registry of a process that is killed; what says it all: a KafkaConfig.
func serveKafka(what string) error {
	var at struct {
		Brokers           []string
		Topic, Group, URL string
	}
	if err := json.Unmarshal([]byte(what), &at); err != nil {
		return err
	}
	var log *Kafka
	var err error
	for range 10 { // as who keeps a registry running does
		log, err = OpenKafka(context.Background(), KafkaConfig{
			Connect: kafka.Config{Brokers: at.Brokers}, Topic: at.Topic, Group: at.Group, URL: at.URL,
			Session: 6 * time.Second, Heartbeat: 100 * time.Millisecond,
		})
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	s, err := New(Config{Log: log, Listen: strings.TrimPrefix(at.URL, "http://"), Languages: tinyLanguages()})
	if err != nil {
		return err
	}
	go func() {
		<-s.Ready()
		fmt.Println(s.URL())
	}()
	return s.Run(context.Background())
}

// TestAKilledLeaderGivesNoIDTwice kills the registry that writes in the middle of registering, round
// by round, and the next one takes over: no id is two schemas, no schema has two ids, nothing that
// was answered is lost.
func TestAKilledLeaderGivesNoIDTwice(t *testing.T) {
	t.Parallel()
	cluster := Clusters["kafka"](t)
	topic, group := "_schemas-"+leat.NewID(), "schema-registry-"+leat.NewID()
	var mu sync.Mutex
	ids, texts := map[string]string{}, map[string]string{}
	const rounds = 6
	for round := range rounds {
		url := "http://" + FreeAddr(t)
		what, err := json.Marshal(map[string]any{"Brokers": cluster.Brokers, "Topic": topic, "Group": group, "URL": url})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), "LEAT_REGISTRY_KAFKA="+string(what)), t.Output()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() }) // in case the test ends early
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		enough, killed := make(chan struct{}, 10_000), make(chan struct{})
		for client := range 4 {
			clients.Go(func() {
				for n := 0; !closed(killed); n++ {
					field := fmt.Sprintf("f%d_%d", round, n)
					answer, err := http.Post(fmt.Sprintf("%s/subjects/s%d/versions", url, (client+n)%3), "application/json", strings.NewReader(fmt.Sprintf(`{"schema":"{\"%s\":false}"}`, field)))
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
					mu.Unlock()
					enough <- struct{}{}
				}
			})
		}
		for range 20 + 7*round {
			<-enough
		}
		err = cmd.Process.Kill()
		close(killed)
		if err != nil {
			t.Fatal(err)
		}
		clients.Wait()
		_ = cmd.Wait() // it was killed
	}
	Audit(t, cluster, topic, group, ids)
	t.Logf("%d schemas, %d kills", len(ids), rounds)
}

// Audit reads what registries wrote to a topic and holds it to what they answered: the ids of schemas,
// by the name of their one field.
func Audit(t *testing.T, cluster kafka.Config, topic, group string, ids map[string]string) {
	t.Helper()
	log := openKafkaAs(t, KafkaConfig{Connect: cluster, Topic: topic, Group: group, Existing: true, Logger: quiet(t)})
	all, err := ReadAll(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	st := newState()
	st.apply(all, 0)
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
	// A second id of a schema, or a second schema of an id, would be in the records.
	texts, byText := map[int32]string{}, map[string]int32{}
	for _, e := range all {
		var v struct {
			ID     int32
			Schema string
		}
		if !strings.Contains(string(e.Key), "SCHEMA") || json.Unmarshal(e.Value, &v) != nil || v.ID == 0 {
			continue
		}
		if old, ok := texts[v.ID]; ok && old != v.Schema {
			t.Errorf("id %d is %s and %s in the log", v.ID, old, v.Schema)
		}
		if old, ok := byText[v.Schema]; ok && old != v.ID {
			t.Errorf("%s has the ids %d and %d in the log", v.Schema, old, v.ID)
		}
		texts[v.ID], byText[v.Schema] = v.Schema, v.ID
	}
}

// TestATopicThatWouldLoseSchemasIsRefused goes through topics that somebody made.
func TestATopicThatWouldLoseSchemasIsRefused(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		cl, err := kafka.Open(t.Context(), cluster)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		adm, compact, expire := kadm.NewClient(cl.Kgo()), "compact", "delete"
		for want, c := range map[string]struct {
			partitions int32
			policy     *string
		}{
			"cleanup.policy=compact": {1, &expire}, "2 partitions": {2, &compact}, "": {1, &compact},
		} {
			topic := "_schemas-" + leat.NewID()
			if _, err := adm.CreateTopic(t.Context(), c.partitions, 1, map[string]*string{"cleanup.policy": c.policy}, topic); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the topic is there", func() error { _, err := adm.ListStartOffsets(t.Context(), topic); return err })
			log, err := OpenKafka(t.Context(), KafkaConfig{Connect: cluster, Topic: topic, Logger: quiet(t)})
			if err == nil {
				log.Close()
			}
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%d partitions, %s: %v", c.partitions, *c.policy, err)
			}
		}
		if _, err := OpenKafka(t.Context(), KafkaConfig{Connect: cluster, Topic: "_none-" + leat.NewID(), Existing: true, Logger: quiet(t)}); !errors.Is(err, kafka.ErrNoTopic) {
			t.Errorf("no topic: %v", err)
		}
	})
}

// TestALostTopicIsReadFromMemoryAndNotWritten deletes the topic under a registry.
func TestALostTopicIsReadFromMemoryAndNotWritten(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		log := openKafka(t, cluster, "", "")
		s := start(t, Config{Log: log, LogTimeout: 2 * time.Second})
		eventually(t, "a schema is registered", func() error {
			if status, got, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"{\"a\":true}"}`); status != 200 {
				return fmt.Errorf("%d %s", status, got)
			}
			return nil
		})
		if _, err := log.adm.DeleteTopics(t.Context(), log.cfg.Topic); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the loss is seen", func() error {
			if _, err := log.sits(); err == nil {
				return errors.New("not yet")
			}
			return nil
		})
		if status, got, _ := ask(t, s, "POST", "/subjects/t/versions", `{"schema":"{\"b\":true}"}`); status != 500 {
			t.Errorf("a write: %d %s", status, got)
		}
		if _, got, _ := ask(t, s, "GET", "/subjects", ""); got != `["s"]` {
			t.Errorf("a read: %s", got)
		}
	})
}

// TestATopicOfOthersIsTakenOver writes what other registries wrote to a topic, poison at its end, and
// lets a registry go on with it: what it deletes is gone in every spelling.
func TestATopicOfOthersIsTakenOver(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		log := openKafka(t, cluster, "", "")
		value := `{"subject":"k","version":1,"id":7,"schema":"{\"a\":true}","deleted":false}`
		for _, r := range records(
			`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"subject":null,"compatibilityLevel":"none"}`,
			`{"keytype":"SCHEMA","subject":"k","version":1,"magic":1}`, value,
			`{"subject":"k","version":1,"magic":1,"keytype":"SCHEMA"}`, value,
			`{"keytype":"SCHEMA","subject":"k","version":1,"magic":1,"seq":5,"node":0}`, value,
			`{"keytype":"NOOP","magic":0}`, "null",
			"nonsense", "{",
		) {
			if _, err := log.client.Write(t.Context(), kafka.Raw{Topic: log.cfg.Topic, Key: r.Key, Value: r.Value}); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, Config{Log: log})
		leads(t, log)
		for _, step := range []struct{ method, path, body, want string }{
			{"POST", "/subjects/n/versions", `{"schema":"{\"b\":true}"}`, `"id":8,`},
			{"GET", "/config", "", `NONE`},
			{"DELETE", "/subjects/k", "", `[1]`},
			{"DELETE", "/subjects/k?permanent=true", "", `[1]`},
			{"GET", "/leat/poison", "", `{"count":1,`},
		} {
			if status, got, _ := ask(t, s, step.method, step.path, step.body); status != 200 || !strings.Contains(got, step.want) {
				t.Errorf("%s %s: %d %s", step.method, step.path, status, got)
			}
		}
		tool := openKafkaAs(t, KafkaConfig{Connect: cluster, Topic: log.cfg.Topic, Group: log.cfg.Group, Existing: true, Logger: quiet(t)})
		all, err := ReadAll(t.Context(), tool)
		if err != nil {
			t.Fatal(err)
		}
		var plain []Record
		for _, e := range all {
			plain = append(plain, e.Record)
		}
		if left := lines(compact(plain)); strings.Contains(left, `"subject":"k"`) && strings.Contains(left, "SCHEMA") && strings.Contains(left, `"id":7`) {
			t.Errorf("it comes back:\n%s", left)
		}
	})
}

// TestTenThousandSchemasLoad imports schemas into a topic and starts from it.
func TestTenThousandSchemasLoad(t *testing.T) {
	cluster := Clusters["kafka"](t)
	tool := openKafkaAs(t, KafkaConfig{Connect: cluster, Topic: "_schemas-" + leat.NewID(), Group: "schema-registry-" + leat.NewID(), Logger: quiet(t)})
	var dump strings.Builder
	for i := range 10_000 {
		k := key{kindSchema, fmt.Sprintf("subject-%d", i), 1}
		value := fmt.Sprintf(`{"subject":"subject-%d","version":1,"id":%d,"schema":"{\"f%d\":true,\"%s\":false}","deleted":false}`, i, i+1, i, strings.Repeat("x", 500))
		line, err := json.Marshal(map[string]string{"key": string(k.spell()), "value": value})
		if err != nil {
			t.Fatal(err)
		}
		dump.Write(append(line, '\n'))
	}
	if n, err := ImportFrom(t.Context(), tool, strings.NewReader(dump.String())); n != 10_000 || err != nil {
		t.Fatal(n, err)
	}
	began := time.Now()
	log := openKafka(t, cluster, tool.cfg.Topic, tool.cfg.Group)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := New(Config{Log: log, Languages: tinyLanguages(), Listen: strings.TrimPrefix(log.cfg.URL, "http://"), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	took := time.Since(began)
	s.look(func(st *state) {
		if st.live != 10_000 {
			t.Errorf("%d schemas", st.live)
		}
	})
	t.Logf("10,000 schemas in %v", took)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
