package registry

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema"
)

// records makes a log of pairs of keys and values; "null" is a tombstone.
func records(pairs ...string) (all []Record) {
	for i := 0; i < len(pairs); i += 2 {
		r := Record{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])}
		if pairs[i+1] == "null" {
			r.Value = nil
		}
		all = append(all, r)
	}
	return all
}

func replayed(all []Record) *state {
	s := newState()
	for i, r := range all {
		s.apply([]Entry{{r, int64(i)}}, int64(i)+1)
	}
	return s
}

func lines(all []Record) string {
	var b strings.Builder
	for _, r := range all {
		value := "null"
		if r.Value != nil {
			value = string(r.Value)
		}
		fmt.Fprintf(&b, "%s\t%s\n", r.Key, value)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// TestRecordsAreSpelledAsConfluentsRegistryDoes holds keys and values to the byte.
func TestRecordsAreSpelledAsConfluentsRegistryDoes(t *testing.T) {
	t.Parallel()
	log := NewMemory()
	play(t, log, `
PUT /config {"compatibility":"NONE"}
PUT /mode {"mode":"READWRITE"}
PUT /config/a%22%C3%A4 {"alias":"b","normalize":true,"compatibility":"FULL","compatibilityGroup":"g","defaultMetadata":{"tags":{"t":["x"]},"properties":{"p":"<&>"},"sensitive":["p"]}}
POST /subjects/a/versions {"schema":"{\"a\":true}"}
POST /subjects/a/versions {"schema":"{\"b\":true}","schemaType":"JSON","metadata":{"properties":{"p":"1"}},"ruleSet":{"migrationRules":[{"name":"m","kind":"TRANSFORM","mode":"UPGRADE","type":"JSONATA","expr":"$"}],"enableAt":"x"}}
POST /subjects/a/versions {"schema":"{\"ref:r\":true}","references":[{"name":"r","subject":"a","version":1}]}
POST /subjects/:.c:a/versions {"schema":"{\"tab\":true,\"line\":false}"}
DELETE /subjects/a/versions/3
DELETE /subjects/a/versions/3?permanent=true
DELETE /subjects/a
DELETE /subjects/a?permanent=true
PUT /mode/:.c: {"mode":"IMPORT"}
PUT /mode/:.d: {"mode":"IMPORT"}
DELETE /mode/:.d:
DELETE /config
`)
	all, err := ReadAll(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	var got []Record
	for _, e := range all {
		got = append(got, e.Record)
	}
	golden(t, "records.golden", lines(got))
}

// TestLogsOfOtherRegistriesAreTakenOver replays every spelling that is known, and deletes all of it:
// nothing may come back when the log is compacted.
func TestLogsOfOtherRegistriesAreTakenOver(t *testing.T) {
	t.Parallel()
	value := func(subject string, version, id int, text string) string {
		return fmt.Sprintf(`{"subject":%q,"version":%d,"id":%d,"schema":%q,"deleted":false}`, subject, version, id, text)
	}
	log := records(
		`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"subject":null,"compatibilityLevel":"none"}`, // Confluent 5, Karapace
		`{"magic":0,"keytype":"CONFIG","subject":"k"}`, `{"compatibilityLevel":"FULL"}`, // Karapace, deprecated order
		`{"keytype":"SCHEMA","subject":"old","version":1,"magic":0}`, value("old", 1, 1, `{"a":true}`), // Confluent 3
		`{"keytype":"SCHEMA","subject":"k","version":1,"magic":1}`, value("k", 1, 2, `{"b":true}`),
		`{"subject":"k","version":1,"magic":1,"keytype":"SCHEMA"}`, value("k", 1, 2, `{"b":true}`), // the same again, as Karapace
		`{"keytype":"SCHEMA","subject":"r","version":1,"magic":1,"seq":5,"node":0}`, value("r", 1, 3, `{"c":true}`), // Redpanda
		`{"keytype":"SCHEMA","subject":"r","version":2,"magic":1,"seq":6,"node":0}`, value("r", 2, 4, `{"d":true}`),
		`{"keytype":"DELETE_SUBJECT","subject":"r","magic":0,"seq":7,"node":0}`, `{"subject":"r","version":1}`,
		`{"keytype":"NOOP","magic":0}`, "null",
		`{"keytype":"ASSOC","tenant":"default","x":1}`, `{}`, // of a later program
	)
	s := replayed(log)
	if s.poisoned != 0 {
		t.Fatalf("poison: %+v", s.poison)
	}
	if got := s.settingsOf("x", "").CompatibilityLevel; got != "NONE" {
		t.Errorf("the level of all is %q, want NONE", got)
	}
	if v := s.version("r", 1); v == nil || !v.deleted || s.version("r", 2).deleted {
		t.Error("Redpanda's deletion is not understood")
	}
	steps := []func(*state) ([]Record, *Fault){
		func(s *state) ([]Record, *Fault) {
			return s.configure("k", map[string]json.RawMessage{"compatibility": []byte(`"NONE"`)})
		},
		func(s *state) ([]Record, *Fault) { _, r, f := s.deleteVersion("k", 1, false, false); return r, f },
		func(s *state) ([]Record, *Fault) { _, r, f := s.deleteSubject("k", true); return r, f },
		func(s *state) ([]Record, *Fault) { _, r, f := s.deleteSubject("r", false); return r, f },
		func(s *state) ([]Record, *Fault) { _, r, f := s.deleteSubject("r", true); return r, f },
		func(s *state) ([]Record, *Fault) { _, r, f := s.deleteSubject("old", false); return r, f },
		func(s *state) ([]Record, *Fault) { _, r, f := s.deleteSubject("old", true); return r, f },
		func(s *state) ([]Record, *Fault) { _, r, f := s.unconfigure(""); return r, f },
	}
	var written []Record
	for i, step := range steps {
		more, f := step(s)
		if f != nil {
			t.Fatalf("step %d: %v", i, f)
		}
		log, written = append(log, more...), append(written, more...)
		s = replayed(log)
	}
	golden(t, "takeover.golden", lines(written))
	compacted := replayed(compact(log))
	if n := len(compacted.subjects) + len(compacted.settings); n != 0 {
		t.Errorf("%d subjects and settings came back: %v", n, lines(compact(log)))
	}
}

// compact is what Kafka's cleaner leaves of a log: the last record of each key, byte by byte, and of
// those no tombstones.
func compact(log []Record) (left []Record) {
	last := map[string]int{}
	for i, r := range log {
		last[string(r.Key)] = i
	}
	for i, r := range log {
		if last[string(r.Key)] == i && r.Value != nil {
			left = append(left, r)
		}
	}
	return left
}

// TestPoisonIsCountedShownAndPassedOver puts what can't be read at the end of a log, where a registry
// that stops there could never write again.
func TestPoisonIsCountedShownAndPassedOver(t *testing.T) {
	t.Parallel()
	good := `{"subject":"s","version":1,"id":1,"schema":"{\"a\":true}","deleted":false}`
	log := NewMemory(records(
		"", good,
		"nonsense", good,
		`{"subject":"s"}`, good,
		`{"keytype":"SCHEMA","subject":"s","version":0,"magic":1}`, good,
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`, good,
		`{"keytype":"SCHEMA","subject":"t","version":1,"magic":1}`, `{"subject":"t","version":1,"id":1,"schema":"{\"other\":true}"}`, // the id is taken
		`{"keytype":"SCHEMA","subject":"u","version":1,"magic":1}`, `{"subject":"u","version":1}`,
		`{"keytype":"MODE","magic":0}`, `{"mode":"ODD"}`,
		`{"keytype":"CONFIG","magic":0}`, `{"compatibilityLevel":"ODD"}`,
		`{"keytype":"SCHEMA","subject":"v","version":1,"magic":1}`, `{"subject":`,
	)...)
	s := start(t, Config{Log: log})
	if _, got, _ := ask(t, s, "GET", "/leat/poison", ""); !strings.HasPrefix(got, `{"count":9,`) || !strings.Contains(got, "id 1 belongs to version 1 of subject") {
		t.Errorf("poison: %s", got)
	}
	if status, got, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"{\"a\":true,\"b\":false}"}`); status != 200 || !strings.Contains(got, `"id":2,`) {
		t.Errorf("a write behind poison: %d %s", status, got)
	}
	if _, got, _ := ask(t, s, "GET", "/subjects", ""); got != `["s"]` {
		t.Errorf("subjects: %s", got)
	}
}

// TestOneTextIsKeptOnce counts the texts in memory.
func TestOneTextIsKeptOnce(t *testing.T) {
	t.Parallel()
	s := newState()
	for i := range 1000 {
		k := key{kindSchema, fmt.Sprintf("s%d", i), 1}
		value := fmt.Sprintf(`{"subject":"s%d","version":1,"id":1,"schema":"{}","deleted":false}`, i)
		s.apply([]Entry{{Record{Key: k.spell(), Value: []byte(value)}, int64(i)}}, int64(i)+1)
	}
	first := s.version("s0", 1).contract
	for name, vs := range s.subjects {
		if vs[0].contract != first {
			t.Fatalf("%s has a text of its own", name)
		}
	}
	for i := range 1000 {
		s.apply([]Entry{{Record{Key: key{kindSchema, fmt.Sprintf("s%d", i), 1}.spell()}, int64(1000 + i)}}, int64(1001+i))
	}
	if len(s.contracts) != 0 || len(s.subjects) != 0 || s.live != 0 || len(s.contexts["."].ids) != 0 {
		t.Errorf("left: %d texts, %d subjects, %d live, %d ids", len(s.contracts), len(s.subjects), s.live, len(s.contexts["."].ids))
	}
}

// TestGUIDs holds identities to those of Confluent's registry: the MD5 of the canonical text, and of
// what belongs to it.
func TestGUIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		contract contract
		want     string
	}{
		{contract{text: `"string"`}, "095d71cf-1255-6b9d-5e33-0ad575b3df5d"},
		{contract{text: `{}`, references: []schema.Reference{{Name: "n", Subject: "s", Version: 3}}}, "3703ff07-027c-06c7-f9fd-382022a2e801"},
		{contract{text: `{}`, metadata: &metadata{Tags: map[string][]string{"k": {"b", "a"}}, Properties: map[string]string{"q": "2", "p": "1"}, Sensitive: []string{"s"}}}, "1a27689c-16c3-03c0-ef29-a75d82106daa"},
		{contract{text: `{}`, rules: &ruleSet{DomainRules: []rule{{Name: "n", Doc: "d", Kind: "CONDITION", Mode: "WRITE", Type: "CEL", Tags: []string{"y", "x"}, Params: map[string]string{"k": "v"}, Expr: "e", OnSuccess: "ok", OnFailure: "no", Disabled: true}}, EnableAt: "at"}}, "b6e185c9-7b37-c8b6-c17e-8b262d47c9a8"},
	} {
		if got := c.contract.guid().String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.contract, got, c.want)
		}
	}
}
