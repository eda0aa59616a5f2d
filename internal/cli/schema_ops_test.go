package cli

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/schema/registry"
)

const (
	avroOrder       = `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}`
	avroOrderNote   = `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"note","type":"string","default":""}]}`
	avroOrderBroken = `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"total","type":"long"}]}`
)

// desk is a registry, and commands that are run against it.
type desk struct {
	t   *testing.T
	log *registry.Memory
	url string
	dir string // of schema files
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, log: registry.NewMemory(), dir: t.TempDir()}
	srv, err := registry.New(registry.Config{Log: d.log, Languages: devstack.Languages(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-srv.Ready()
	d.url = srv.URL()
	return d
}

func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// schema runs a leat schema command.
func (d *desk) schema(args ...string) (status int, out string) {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	status = Run(d.t.Context(), Config{
		Args: append([]string{"schema"}, args...), Environ: []string{"LEAT_REGISTRY_URL=" + d.url},
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
	})
	d.t.Logf("leat schema %s: %d\n%s%s", strings.Join(args, " "), status, &stdout, &stderr)
	return status, stdout.String()
}

func (d *desk) must(args ...string) (out string) {
	d.t.Helper()
	status, out := d.schema(args...)
	if status != exitDone {
		d.t.Fatalf("leat schema %s: exit status %d", strings.Join(args, " "), status)
	}
	return out
}

// records are all that the registry ever wrote.
func (d *desk) records() string {
	d.t.Helper()
	var b bytes.Buffer
	if _, err := registry.Export(d.t.Context(), d.log, &b); err != nil {
		d.t.Fatal(err)
	}
	return b.String()
}

// Each command writes nothing to the registry's log without --yes, and something with it.
func TestNothingIsChangedWithoutYes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	order, note := d.file("orders-value.avsc", avroOrder), d.file("note.avsc", avroOrderNote)
	d.must("register", order, "--yes")
	for _, args := range [][]string{
		{"register", note, "--subject", note + "=orders-value"},
		{"register", note, "--subject", note + "=other-value"},
		{"delete", "orders-value", "1"},
		{"delete", "orders-value", "1", "--for-good"},
		{"delete", "orders-value"},
	} {
		changes(d, args)
	}
}

func TestNoSettingIsChangedWithoutYes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, args := range [][]string{
		{"config", "orders-value", "--level", "NONE"},
		{"config", "--policy", "LENIENT"},
		{"config", "orders-value", "--reset"},
	} {
		changes(d, args)
	}
}

func TestNoModeIsChangedWithoutYes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, args := range [][]string{
		{"mode", "orders-value", "IMPORT", "--force"},
		{"mode", "READONLY"},
		{"mode", "--reset"},
		{"mode", "orders-value", "--reset"},
	} {
		changes(d, args)
	}
}

func changes(d *desk, args []string) {
	d.t.Helper()
	before := d.records()
	out := d.must(args...)
	if d.records() != before {
		d.t.Errorf("leat schema %s wrote something", strings.Join(args, " "))
	}
	if strings.Count(out, "\n") < 2 {
		d.t.Errorf("leat schema %s shows nothing: %q", strings.Join(args, " "), out)
	}
	d.must(append(args, "--yes")...)
	if d.records() == before {
		d.t.Errorf("leat schema %s --yes wrote nothing", strings.Join(args, " "))
	}
}

func TestRegisterTakesAllOrNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("register", d.file("b.avsc", avroOrder), "--yes")
	before := d.records()
	good := []string{d.file("a.avsc", avroOrder), d.file("c.avsc", avroOrder)}
	for name, text := range map[string]string{"b.avsc": avroOrderBroken, "d.avsc": "{"} {
		bad := d.file(name, text)
		if status, _ := d.schema("register", good[0], bad, good[1], "--yes"); status != exitFound {
			t.Errorf("beside %s: exit status %d, want %d", text, status, exitFound)
		}
		if d.records() != before {
			t.Fatalf("beside %s something was registered", text)
		}
	}
	d.must("register", good[0], d.file("b.avsc", avroOrderNote), good[1], "--yes")
	if got := strings.Count(d.records(), "SCHEMA"); got != 4 {
		t.Errorf("%d schemas are registered, want 4", got)
	}
}

func TestDiffTellsWhatBreaksForWhom(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("register", d.file("orders-value.avsc", avroOrder), "--yes")
	d.must("config", "orders-value", "--level", "NONE", "--yes")
	const newReads, oldReads = "new readers read old data\n", "old readers read new data\n"
	broken := d.file("broken.avsc", avroOrderBroken)
	if out := d.must("diff", "orders-value", broken); strings.Contains(out, newReads) || !strings.Contains(out, oldReads) {
		t.Errorf("a field without a default more: %s", out)
	}
	if out := d.must("diff", "orders-value", broken, "1"); !strings.Contains(out, newReads) || strings.Contains(out, oldReads) {
		t.Errorf("a field without a default less: %s", out)
	}
	out := d.must("diff", "orders-value", d.file("note.avsc", avroOrderNote))
	if !strings.Contains(out, newReads) || !strings.Contains(out, oldReads) || !strings.Contains(out, `+      "name": "note",`) {
		t.Errorf("a field with a default more: %s", out)
	}
}

func TestSettingsComeFromTheNarrowestScope(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string][]scope{
		"":        {{scopeGlobal, ""}},
		"s":       {{scopeSubject, "s"}, {scopeGlobal, ""}},
		":.c:s":   {{scopeSubject, ":.c:s"}, {scopeContext, ":.c:"}, {scopeGlobal, ""}},
		":.c:":    {{scopeContext, ":.c:"}, {scopeGlobal, ""}},
		":.c:a:b": {{scopeSubject, ":.c:a:b"}, {scopeContext, ":.c:"}, {scopeGlobal, ""}},
	} {
		if got := scopesOf(subject); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", subject, got, want)
		}
	}
}

// A variable of a shell that is not set changes nothing of all subjects.
func TestAnEmptySubjectIsNotAllSubjects(t *testing.T) {
	t.Parallel()
	if _, err := subjectArg([]string{""}); err == nil {
		t.Error("the empty subject was taken for all")
	}
	if _, err := (&modeChange{}).args([]string{"", "READONLY"}); err == nil {
		t.Error("the mode of the empty subject was taken for that of all")
	}
}

func TestArgumentsOfMode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change  modeChange
		args    []string
		subject string
		mode    string
		bad     bool
	}{
		{args: nil},
		{args: []string{"s"}, subject: "s"},
		{args: []string{"READONLY"}, mode: "READONLY"},
		{args: []string{"readonly"}, subject: "readonly"},
		{args: []string{"s", "readonly"}, subject: "s", mode: "READONLY"},
		{args: []string{"s", "OFF"}, bad: true},
		{change: modeChange{force: true}, args: []string{"s", "READONLY"}, bad: true},
		{change: modeChange{force: true}, args: []string{"s", "IMPORT"}, subject: "s", mode: "IMPORT"},
		{change: modeChange{reset: true}, args: []string{"s"}, subject: "s"},
		{change: modeChange{reset: true}, args: []string{"s", "READONLY"}, bad: true},
	} {
		subject, err := c.change.args(c.args)
		if c.bad != (err != nil) || !c.bad && (subject != c.subject || c.change.mode != c.mode) {
			t.Errorf("%v: got %q, %q, %v", c.args, subject, c.change.mode, err)
		}
	}
}
