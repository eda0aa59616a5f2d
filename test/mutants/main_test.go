package main

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func TestEveryMutantStillApplies(t *testing.T) {
	t.Parallel()
	mutants, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			src, err := m.apply(root)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(m.path) == ".go" { // others are embedded: SQL
				if _, err := parser.ParseFile(token.NewFileSet(), m.path, src, parser.AllErrors); err != nil {
					t.Fatalf("the mutated file does not parse: %v", err)
				}
			}
			if !hasTest(t, filepath.Join(root, m.pkg), m.test) {
				t.Fatalf("%s has no %s", m.pkg, m.test)
			}
		})
	}
}

var promiseRow = regexp.MustCompile("^\\| ([a-z]+\\.[a-z0-9-]+) \\|.*\\| `([^`]+)` (Test\\w+) \\| ([a-z0-9-]+) \\|$")

// Each promise is a table row: | id | what is promised | `./package` TestName | mutant |.
func TestEveryPromiseHasATestAndAMutant(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]mutant{}
	for _, m := range mutants {
		byName[m.name] = m
	}
	promised := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\n")
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[1], ".") {
			continue
		}
		row := promiseRow.FindStringSubmatch(line)
		if row == nil {
			t.Errorf("not a promise with a test and a mutant: %s", line)
			continue
		}
		id, pkg, test, name := row[1], row[2], row[3], row[4]
		promised[id] = true
		m, ok := byName[name]
		switch {
		case !ok:
			t.Errorf("%s: there is no mutant %s", id, name)
		case m.promise != id || m.pkg != pkg || m.test != test:
			t.Errorf("%s: mutant %s is of %s and turns %s %s red", id, name, m.promise, m.pkg, m.test)
		}
		if !hasTest(t, filepath.Join(root, pkg), test) {
			t.Errorf("%s: %s has no %s", id, pkg, test)
		}
	}
	if len(promised) == 0 {
		t.Fatal("docs/guarantees.md promises nothing")
	}
	for _, m := range mutants {
		if !promised[m.promise] {
			t.Errorf("mutant %s is of %s, which docs/guarantees.md does not promise", m.name, m.promise)
		}
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
				return true
			}
		}
	}
	return false
}

// A tiny module shows that each verdict is given for what it stands for.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module m\n\ngo 1.26\n")
	write("m.go", "package m\n\nfunc Add(a, b int) int { return a + b }\n")
	write("m_test.go", "package m\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(2, 3) != 5 {\n\t\tt.Fatal()\n\t}\n}\n\nfunc TestSkip(t *testing.T) { t.Skip() }\n")
	for name, c := range map[string]struct {
		test, new string
		want      verdict
	}{
		"a broken rule is caught":        {"TestAdd", "a - b", caughtVerdict},
		"a harmless change survives":     {"TestAdd", "b + a", survivedVerdict},
		"what does not compile proves 0": {"TestAdd", "a +", errorVerdict},
		"a skipped test proves nothing":  {"TestSkip", "a - b", errorVerdict},
		"a missing test proves nothing":  {"TestGone", "a - b", errorVerdict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mutant{name: name, pkg: ".", test: c.test, tags: "x", path: "m.go", old: "a + b", new: c.new}
			if got, detail := judge(context.Background(), dir, m, 10*time.Minute); got != c.want {
				t.Fatalf("verdict %s, want %s\n%s", got, c.want, detail)
			}
		})
	}
}

// A test that is red anyway shows nothing.
func TestATestThatFailsWithoutItsMutantIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module m\n\ngo 1.26\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) {}\n\nfunc TestRed(t *testing.T) { t.Fatal() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unsound := sound(context.Background(), dir, []mutant{{name: "good", pkg: ".", test: "TestGood", tags: "x"}, {name: "red", pkg: ".", test: "TestRed", tags: "x"}}, 10*time.Minute)
	if _, told := unsound["red"]; !told || len(unsound) != 1 {
		t.Errorf("unsound: %v, want red alone", unsound)
	}
}
