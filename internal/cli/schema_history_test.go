package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
)

const (
	paidRecord       = `{"type":"record","name":"Paid","fields":[{"name":"id","type":"string"}]}`
	paidRecordNote   = `{"type":"record","name":"Paid","fields":[{"name":"id","type":"string"},{"name":"note","type":"string","default":""}]}`
	paidRecordBroken = `{"type":"record","name":"Paid","fields":[{"name":"id","type":"string"},{"name":"cents","type":"long"}]}`
	billRecord       = `{"type":"record","name":"Bill","fields":[{"name":"no","type":"long"}]}`
)

// A second type gives a topic's events other subjects. Each is new there, and held to what it was.
func TestAnEventIsHeldToItsVersionsUnderAnotherSubject(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("register", d.file("paid-value.avsc", paidRecord), "--yes")
	snapshot, files := filepath.Join(t.TempDir(), "snapshot"), t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "paid-value.avsc"), []byte(paidRecord), 0o600); err != nil {
		t.Fatal(err)
	}
	d.must("pull", snapshot)
	for _, against := range []string{"registry", snapshot, files} {
		if status, out := d.schema("check", "--against", against, d.file("paid-Paid.avsc", paidRecordBroken)); status != exitFound || !strings.Contains(out, "of paid-value at BACKWARD") {
			t.Errorf("against %s, a break under another subject: exit status %d\n%s", against, status, out)
		}
		if out := d.must("check", "--against", against, d.file("paid-Paid.avsc", paidRecordNote)); !strings.HasPrefix(out, contractOK) || !strings.Contains(out, "of paid-value at BACKWARD") {
			t.Errorf("against %s, a field with a default more: %s", against, out)
		}
		if out := d.must("check", "--against", against, d.file("paid-Bill.avsc", billRecord)); !strings.HasPrefix(out, contractNew) {
			t.Errorf("against %s, another event of the topic: %s", against, out)
		}
	}
	before := d.records()
	if status, _ := d.schema("register", d.file("paid-Paid.avsc", paidRecordBroken), "--yes"); status != exitFound || d.records() != before {
		t.Errorf("a break was registered under another subject: exit status %d", status)
	}

	// The settings do not go along, and that is said while there is something to do about it.
	d.must("config", "paid-value", "--level", "FULL_TRANSITIVE", "--yes")
	const mend = "leat schema config paid-Paid --level FULL_TRANSITIVE --yes"
	moved := d.file("paid-Paid.avsc", paidRecordNote)
	if out := d.must("check", moved); !strings.Contains(out, "at FULL_TRANSITIVE") || !strings.Contains(out, mend) {
		t.Errorf("settings that stay behind: %s", out)
	}
	d.must(strings.Fields(mend)[2:]...)
	d.must("register", moved, "--yes")

	// From here on the new subject leads; transitive levels look back across the move.
	if out := d.must("check", moved); strings.Contains(out, "paid-value") {
		t.Errorf("after the move: %s", out)
	}
	d.must("config", "paid-Paid", "--level", "BACKWARD_TRANSITIVE", "--yes")
	const noDefault = `{"type":"record","name":"Paid","fields":[{"name":"id","type":"string"},{"name":"note","type":"string"}]}`
	if status, out := d.schema("check", d.file("paid-Paid.avsc", noDefault)); status != exitFound || !strings.Contains(out, "version 1 of paid-value at BACKWARD_TRANSITIVE") {
		t.Errorf("across the move: exit status %d\n%s", status, out)
	}
}

// A .proto file's events are looked for by their messages, whichever stands first.
func TestAMessageIsHeldToItsVersionsUnderAnotherSubject(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const first, paid = `syntax = "proto3"; package shop; message First { int64 n = 1; } `, `message Paid { string id = 1; `
	d.must("register", d.file("paid-value.proto", first+paid+"}"), "--yes")
	if status, out := d.schema("check", d.file("paid-shop.Paid.proto", first+`message Paid { int64 id = 1; }`)); status != exitFound || !strings.Contains(out, "of paid-value at BACKWARD") {
		t.Errorf("a break under another subject: exit status %d\n%s", status, out)
	}
	if out := d.must("check", d.file("paid-shop.Paid.proto", first+paid+"string note = 2; }")); !strings.HasPrefix(out, contractOK) || !strings.Contains(out, "of paid-value at BACKWARD") {
		t.Errorf("a field more: %s", out)
	}
	if out := d.must("check", d.file("paid-shop.Bill.proto", `syntax = "proto3"; package shop; message Bill { int64 no = 1; }`)); !strings.HasPrefix(out, contractNew) {
		t.Errorf("another event of the topic: %s", out)
	}
}

// The way back is held to what was written meanwhile.
func TestAnEventThatComesBackToItsOldSubjectIsHeldToTheLaterVersions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("register", d.file("paid-value.avsc", paidRecord), "--yes")
	d.must("register", d.file("paid-Paid.avsc", paidRecordNote), "--yes")
	const other = `{"type":"record","name":"Paid","fields":[{"name":"id","type":"string"},{"name":"note","type":"long","default":0}]}`
	if status, out := d.schema("check", d.file("paid-value.avsc", other)); status != exitFound || !strings.Contains(out, "version 1 of paid-Paid") {
		t.Errorf("exit status %d\n%s", status, out)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=n", "-c", "user.email=e"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

func TestAFileOfAnotherNameIsHeldToWhatItWasAtTheCommit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	was := d.file("paid-value.avsc", paidRecord)
	git(t, d.dir, "init", "-q")
	git(t, d.dir, "add", ".")
	git(t, d.dir, "commit", "-qm", "first")
	if err := os.Remove(was); err != nil {
		t.Fatal(err)
	}
	now := d.file("paid-Paid.avsc", paidRecordBroken)
	if status, out := d.schema("check", "--against", "git:HEAD", now); status != exitFound || !strings.Contains(out, "git:HEAD of paid-value") {
		t.Errorf("exit status %d\n%s", status, out)
	}
}

// A contract that vanishes is told, and fails nothing.
func TestWhatIsGoneIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	paid := d.file("paid-value.avsc", paidRecord)
	d.file("bills-value.avsc", billRecord)
	git(t, d.dir, "init", "-q")
	git(t, d.dir, "add", ".")
	git(t, d.dir, "commit", "-qm", "first")
	d.must("register", d.dir, "--yes")
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	d.must("pull", snapshot)
	if err := os.Remove(filepath.Join(d.dir, "bills-value.avsc")); err != nil {
		t.Fatal(err)
	}
	for _, against := range []string{"git:HEAD", snapshot} {
		if out := d.must("check", "--against", against, "--lint", "fail", d.dir); !strings.Contains(out, "\ngone     bills-value") {
			t.Errorf("against %s: %s", against, out)
		}
		if out := d.must("check", "--against", against, paid); strings.Contains(out, contractGone) {
			t.Errorf("against %s, of one file: %s", against, out)
		}
	}
	// A record under another subject is not gone; another record of the topic does not hide it.
	moved := []contract{{subject: "bills-Bill", topic: "bills", typ: schema.Avro, text: billRecord}}
	if left, err := gone(t.Context(), dirBaseline{snapshot}, nil, moved); err != nil || len(left) != 0 {
		t.Errorf("under another subject: %+v, %v", left, err)
	}
	left, err := gone(t.Context(), dirBaseline{snapshot}, nil, []contract{{subject: "bills-Note", topic: "bills", typ: schema.Avro, text: paidRecord}})
	if err != nil || len(left) != 1 || left[0].Subject != "bills-value" {
		t.Errorf("of a service's topics: %+v, %v", left, err)
	}
}

// A snapshot of a context has the names that contracts have there.
func TestASnapshotOfAContextIsFound(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.url += "/contexts/.a"
	paid := d.file("paid-value.avsc", paidRecord)
	d.must("register", paid, "--yes")
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	d.must("pull", snapshot, "--prefix", "paid")
	for _, against := range []string{"registry", snapshot} {
		if out := d.must("check", "--against", against, paid); !strings.HasPrefix(out, contractOK) {
			t.Errorf("against %s: %s", against, out)
		}
	}
	d.must("delete", "paid-value", "--yes")
	d.must("pull", snapshot, "--prefix", "paid")
	if out := d.must("check", "--against", snapshot, paid); !strings.HasPrefix(out, contractNew) {
		t.Errorf("after it was deleted: %s", out)
	}
}

// Go types name their topic, whatever their subjects are called, and keys are no records of it.
func TestElsewhereIsTheSameTopic(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		c    contract
		want string
	}{
		"RecordName": {contract{subject: "Paid", topic: "paid", event: "p"}, "paid-value paid-Paid"},
		"a key":      {contract{subject: "paid-key", topic: "paid", key: true}, ""},
		"a file":     {contract{subject: "paid-value", file: "x/paid-value.avsc"}, "paid-Paid"},
		"no topic":   {contract{subject: "Paid", file: "Paid.avsc"}, ""},
	} {
		c.c.typ, c.c.text = schema.Avro, paidRecord
		record, all, err := c.c.elsewhere()
		var names []string
		for _, o := range all {
			names = append(names, o.subject)
		}
		if got := strings.Join(names, " "); err != nil || got != c.want || got != "" && record != "Paid" {
			t.Errorf("%s: %q %q, %v, want %q", name, record, got, err, c.want)
		}
	}
}

// The registry is asked before a service registers what is new to it.
func TestTheRegistryJudgesBeforehand(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("register", d.file("paid-value.avsc", paidRecord), "--yes")
	client, err := schema.NewClient(schema.ClientConfig{URLs: []string{d.url}})
	if err != nil {
		t.Fatal(err)
	}
	for text, refused := range map[string]bool{paidRecordNote: false, paidRecordBroken: true} {
		err := client.Judge(context.Background(), "paid-value", schema.Registered{Type: schema.Avro, Text: text}, false)
		if refused != (err != nil) {
			t.Errorf("%s: %v", text, err)
		}
		if refused && !strings.Contains(err.Error(), "READER_FIELD_MISSING_DEFAULT_VALUE") {
			t.Errorf("no reason: %v", err)
		}
	}
}
