package audit_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/leatdev/leat/test/chaos/audit"
)

func TestCleanHistoriesPass(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		report, err := AuditAll(encode(t, clean(seed, 120, 20)))
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) > 0 {
			t.Errorf("seed %d: %v", seed, report.Findings)
		}
		if report.Orders != 20 || report.Effects == 0 || report.Writes == 0 || report.Reads == 0 || report.Records == 0 {
			t.Errorf("seed %d judged next to nothing: %+v", seed, report)
		}
	}
}

// Each fault is found as what it is and as nothing else, whatever else happened.
func TestEachFaultIsFoundAsItsClass(t *testing.T) {
	t.Parallel()
	if len(mutations) < 20 {
		t.Fatalf("%d classes, want 20", len(mutations))
	}
	for class, spoil := range mutations {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(2) {
				h := &history{lines: clean(seed, 120, 20)}
				spoil(h)
				report, err := AuditAll(encode(t, h.lines))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]Class{class}, report.Classes()); diff != "" {
					t.Errorf("seed %d: %s\n%v", seed, diff, report.Findings)
				}
			}
		})
	}
}

// A report that may still mend itself is told from one that can't.
func TestUnfinishedWorkIsToldFromFaults(t *testing.T) {
	t.Parallel()
	for class, want := range map[Class]bool{Lagging: true, OrderOpen: true, OutboxLost: true, Duplicate: false, EffectOrder: false} {
		h := &history{lines: clean(1, 120, 20)}
		mutations[class](h)
		report, err := AuditAll(encode(t, h.lines))
		if err != nil {
			t.Fatal(err)
		}
		if report.Live() != want {
			t.Errorf("%s: live %v, want %v", class, report.Live(), want)
		}
	}
	report, err := AuditAll(encode(t, clean(1, 10, 1)))
	if err != nil || report.Live() {
		t.Errorf("nothing found is live: %v, %v", report, err)
	}
}

var operations = flag.Int("audit.operations", 20_000, "operations in the history that is timed")

// What many operations take is told and not judged: the figure for a million (-audit.operations) stands in
// docs/guarantees.md.
func TestManyOperationsAreJudged(t *testing.T) {
	lines := clean(1, *operations, *operations/50)
	text := encode(t, lines)
	begun := spent(t)
	report, err := AuditAll(text)
	if err != nil || len(report.Findings) > 0 {
		t.Fatal(report, err)
	}
	t.Logf("%d operations, %d lines in %v", *operations, report.Lines, spent(t)-begun)
}

// spent is the time that processors have spent on this process: the clock would measure the machine's
// other work.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What an actor writes down is what is read, over a kill in the middle of a line.
func TestLogIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "load.ndjson")
	for range 2 { // the actor is killed and runs again
		log, err := Create(path, "load")
		if err != nil {
			t.Fatal(err)
		}
		n, err := log.Begin(Line{Op: Order, Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.End(n, OK, Line{Op: Order, Key: "k", Order: "o"}); err != nil {
			t.Fatal(err)
		}
		if err := log.See(Line{Op: Stored, Row: &Row{Table: "orders", ID: "o", Key: "k", State: "placed"}}); err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	report, err := Audit(path)
	if err != nil {
		t.Fatal(err)
	}
	if report.Lines != 6 || !slices.Contains(report.Classes(), OrderOpen) || slices.Contains(report.Classes(), OrderLost) {
		t.Errorf("%+v", report)
	}
}

func TestReadTellsWhatItCanNotRead(t *testing.T) {
	t.Parallel()
	whole := `{"a":"x","t":1,"is":"saw","op":"mark"}` + "\n"
	if _, err := AuditAll(strings.NewReader(whole + `{"a":"x","t":`)); err != nil {
		t.Errorf("a line that was cut off: %v", err)
	}
	for _, text := range []string{"{}\n", "nonsense\n", `{"is":"saw","op":"nonsense"}` + "\n", `{"is":"nonsense","op":"write"}` + "\n"} {
		if _, err := AuditAll(strings.NewReader(whole + text)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func ExampleAuditAll() {
	history := strings.NewReader(`
{"a":"writer","n":1,"t":1,"is":"do","op":"write","r":[{"topic":"t","p":0,"o":0,"id":"x"}]}
{"a":"writer","n":1,"t":2,"is":"ok","op":"write","r":[{"topic":"t","p":0,"o":7,"id":"x"}]}
`[1:])
	report, _ := AuditAll(history)
	fmt.Println(report.Findings[0])
	// Output: lost: x of writer was acknowledged and is not in the log of t
}
