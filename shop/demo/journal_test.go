package demo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir string, head journalHead) *journal {
	t.Helper()
	j, err := openJournal(dir, head)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJournalGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, journalHead{Seed: 7, Prefix: "p."})
	if _, err := j.will([]trouble{noTrouble, cancel, badJSON}); err != nil {
		t.Fatal(err)
	}
	if err := j.did(1, "order-1"); err != nil {
		t.Fatal(err)
	}
	head := j.head
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	want := []deed{{}, {trouble: cancel, order: "order-1"}, {trouble: badJSON}}
	whole, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{"", `{"do":3,"trouble":"can`, `{"did`} { // what a kill leaves of the next line
		if err := os.WriteFile(filepath.Join(dir, journalName), append(whole[:len(whole):len(whole)], tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, dir, journalHead{Seed: 99})
		if d := cmp.Diff(want, j.all(), cmp.AllowUnexported(deed{})); d != "" || j.head != head {
			t.Errorf("after %q: %+v %s", tail, j.head, d)
		}
		if first, err := j.will([]trouble{dead}); err != nil || first != 3 {
			t.Errorf("after %q the next number is %d, %v", tail, first, err)
		}
		_ = j.close()
		if j = open(t, dir, journalHead{}); len(j.all()) != 4 {
			t.Errorf("after %q: %d deeds in the end", tail, len(j.all()))
		}
		_ = j.close()
	}
}

func TestJournalOfAFirstLineThatWasCutOffBeginsAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalName), []byte(`{"leat_demo":1,"id":"x`), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir, journalHead{Seed: 7})
	defer j.close()
	if j.head.Seed != 7 || j.head.ID == "" || j.head.ID == "x" {
		t.Errorf("got %+v", j.head)
	}
}

func TestJournalThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"hello\n", "{\"leat_demo\":1}\n{\"do\":4}\n", "{\"leat_demo\":1}\nwhat\n", "{\"leat_demo\":1}\n{\"did\":0}\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openJournal(dir, journalHead{}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestPlanIsTheSameInEveryRun(t *testing.T) {
	t.Parallel()
	kinds := map[trouble]int{}
	for n := range 2000 {
		a, b := draw(7, n, 30), draw(7, n, 30)
		then, now := moment(7, n), moment(7, n)
		if d := cmp.Diff(request(7, n, a), request(7, n, b)); a != b || d != "" || then != now {
			t.Fatalf("order %d: %q and %q: %s", n, a, b, d)
		}
		kinds[a]++
	}
	for _, want := range troubles {
		if kinds[want] == 0 {
			t.Errorf("%q was never drawn", want)
		}
	}
	if with := 2000 - kinds[noTrouble]; with < 500 || with > 700 {
		t.Errorf("%d of 2000 met trouble, want about 30 %%", with)
	}
	if draw(7, 1, 0) != noTrouble {
		t.Error("0 % is some trouble")
	}
}
