package sqldb

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSplitEndsStatementsWhereTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	both := []Dialect{Postgres, SQLite}
	tests := map[string]struct {
		dialects []Dialect
		file     string
		want     []string
	}{
		"nothing":            {both, " \n-- only; this\n/* and; that */ ;;", nil},
		"two":                {both, "select 1; select 2", []string{"select 1", "select 2"}},
		"quotes":             {both, `select 'a;''b;', "c;""d;"; select 2;`, []string{`select 'a;''b;', "c;""d;"`, "select 2"}},
		"comments":           {both, "-- first;\nselect 1 -- ;\n+ /* ; */ 2; -- last", []string{"select 1 -- ;\n+ /* ; */ 2"}},
		"open quote":         {both, "select 'a; select 2", []string{"select 'a; select 2"}},
		"placeholder":        {both, "select $1; select $2;", []string{"select $1", "select $2"}},
		"nested comment":     {[]Dialect{Postgres}, "/* a /* b; */ c; */ select 1; select 2", []string{"select 1", "select 2"}},
		"flat comment":       {[]Dialect{SQLite}, "/* a /* b; */ select 1; select 2", []string{"select 1", "select 2"}},
		"dollar":             {[]Dialect{Postgres}, "do $$ begin; end $$; do $a$ $$; $b$; $a$; select 3", []string{"do $$ begin; end $$", "do $a$ $$; $b$; $a$", "select 3"}},
		"dollar in a name":   {[]Dialect{Postgres}, "select a$b; select c$b; select 3", []string{"select a$b", "select c$b", "select 3"}},
		"escape string":      {[]Dialect{Postgres}, `select E'a\';b'; select 'c\'; select 3`, []string{`select E'a\';b'`, `select 'c\'`, "select 3"}},
		"atomic":             {[]Dialect{Postgres}, "create function f() returns int begin atomic select 1; select case when 1=1 then 2 end; end; select 2", []string{"create function f() returns int begin atomic select 1; select case when 1=1 then 2 end; end", "select 2"}},
		"begin is no atomic": {both, "begin; select 1; end; select 2", []string{"begin", "select 1", "end", "select 2"}},
		"trigger":            {[]Dialect{SQLite}, "create trigger a after insert on b begin select case when 1 then 2 end; select 3; END ; select 4", []string{"create trigger a after insert on b begin select case when 1 then 2 end; select 3; END", "select 4"}},
		"temporary trigger":  {[]Dialect{SQLite}, "create temp trigger a after insert on b begin select 3; end; select 4", []string{"create temp trigger a after insert on b begin select 3; end", "select 4"}},
		"trigger is a name":  {[]Dialect{SQLite}, "drop trigger a; select 4", []string{"drop trigger a", "select 4"}},
		"sqlite quotes":      {[]Dialect{SQLite}, "select `a;b`, [c;d]; select 2", []string{"select `a;b`, [c;d]", "select 2"}},
		"array":              {[]Dialect{Postgres}, "select (array[1,2])[1]; select 2", []string{"select (array[1,2])[1]", "select 2"}},
	}
	for name, test := range tests {
		for _, d := range test.dialects {
			var got []string
			for _, s := range split(test.file, d) {
				got = append(got, s.text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s on %v: want -, got +%s", name, d, diff)
			}
		}
	}
}

func TestSplitCountsLines(t *testing.T) {
	t.Parallel()
	got := split("\n-- a\n\nselect\n1;\n\n/*\n*/ select 2", Postgres)
	want := []statement{{"select\n1", 4}, {"select 2", 8}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(statement{})); diff != "" {
		t.Error("want -, got +", diff)
	}
}

// Whatever the file, nothing of a statement gets lost or invented, and lines only go up.
func FuzzSplit(f *testing.F) {
	for _, s := range pieces {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(checkSplit)
}

// pieces are what the ends of statements hang on.
var pieces = []string{
	";", "'", "''", `"`, "`", "[", "]", "$$", "$a$", "$1", "--", "\n", "/*", "*/", "E'", `\'`, "begin", "atomic", "case", "end", "create", "temp", "trigger",
	" ", "x", "é", "\x00", "select 1", "\r\n",
}

// The fuzzer has to build the whole database driver with its instruments; this finds the same in a
// second.
func TestSplitOfRandomPieces(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		var file strings.Builder
		for range random.IntN(30) {
			file.WriteString(pieces[random.IntN(len(pieces))])
		}
		checkSplit(t, file.String(), random.IntN(2) == 0)
	}
}

func checkSplit(t *testing.T, file string, lite bool) {
	d := Postgres
	if lite {
		d = SQLite
	}
	rest, line := file, 1
	for _, s := range split(file, d) {
		if s.text == "" || s.text != strings.TrimSpace(s.text) {
			t.Fatalf("statement %q of %q is empty or has space around it", s.text, file)
		}
		_, after, found := strings.Cut(rest, s.text)
		if !found {
			t.Fatalf("statement %q is not in the rest %q of %q", s.text, rest, file)
		}
		if s.line < line {
			t.Fatalf("statement %q of %q in line %d after line %d", s.text, file, s.line, line)
		}
		rest, line = after, s.line
	}
}
