package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/txtar"
)

// mutant is one broken rule.
type mutant struct {
	name    string // file name without .txtar
	promise string // id of the promise in docs/guarantees.md
	pkg     string // ./outbox
	test    string // TestName, the one that must turn red
	tags    string // build tags; "" means synctests
	env     []string
	path    string // file that is changed, from the root
	old     string
	new     string
}

func (m mutant) matches(words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(m.name, w) })
}

// load reads every mutant under root.
func load(root string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(root, "test", "mutants", "testdata", "*.txtar"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, f := range files {
		m, err := parse(f)
		if err != nil {
			return nil, fmt.Errorf("read mutant %s: %w", filepath.Base(f), err)
		}
		all = append(all, m)
	}
	return all, nil
}

func parse(file string) (mutant, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), tags: "synctests"}
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok {
			return m, fmt.Errorf("header line %q is not \"key: value\"", line)
		}
		switch key {
		case "promise":
			m.promise = value
		case "package":
			m.pkg = value
		case "test":
			m.test = value
		case "tags":
			m.tags = value
		case "env":
			m.env = append(m.env, value)
		default:
			return m, fmt.Errorf("unknown header key %q", key)
		}
	}
	for _, f := range archive.Files {
		switch {
		case strings.HasPrefix(f.Name, "old "):
			m.path, m.old = strings.TrimPrefix(f.Name, "old "), string(f.Data)
		case f.Name == "new":
			m.new = string(f.Data)
		default:
			return m, fmt.Errorf("unknown section %q", f.Name)
		}
	}
	if m.promise == "" || m.pkg == "" || m.test == "" || m.path == "" || strings.TrimSpace(m.old) == "" {
		return m, fmt.Errorf("promise, package, test and an \"old PATH\" section are needed")
	}
	return m, nil
}

// apply returns the mutated source.
func (m mutant) apply(root string) ([]byte, error) {
	src, err := os.ReadFile(filepath.Join(root, m.path))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(src, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("its old text occurs %d times in %s, not once", n, m.path)
	}
	return bytes.Replace(src, []byte(m.old), []byte(m.new), 1), nil
}

type verdict string

const (
	caughtVerdict   verdict = "caught"
	survivedVerdict verdict = "SURVIVED"
	errorVerdict    verdict = "ERROR"
)

// judge runs the mutant's test with the mutant in place.
func judge(ctx context.Context, root string, m mutant, timeout time.Duration) (verdict, string) {
	src, err := m.apply(root)
	if err != nil {
		return errorVerdict, err.Error()
	}
	dir, err := os.MkdirTemp("", "leat-mutant-*")
	if err != nil {
		return errorVerdict, err.Error()
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(root, dir, m.path, src)
	if err != nil {
		return errorVerdict, err.Error()
	}
	out, failed := m.runTest(ctx, root, overlay, timeout)
	switch {
	case !strings.Contains(out, "=== RUN   "+m.test):
		return errorVerdict, "its test did not run:\n" + out
	case strings.Contains(out, "--- SKIP: "+m.test+" "):
		return errorVerdict, "its test was skipped:\n" + out
	case failed:
		return caughtVerdict, ""
	default:
		return survivedVerdict, out
	}
}

// sound runs the tests of the mutants on the code as it is, those of a package together, and returns
// what they printed by the name of each mutant whose test fails there: it could show nothing.
func sound(ctx context.Context, root string, mutants []mutant, timeout time.Duration) map[string]string {
	type group struct{ pkg, tags, env string }
	groups := map[group][]mutant{}
	for _, m := range mutants {
		g := group{m.pkg, m.tags, strings.Join(m.env, "\n")}
		groups[g] = append(groups[g], m)
	}
	unsound := map[string]string{}
	for g, all := range groups {
		var tests []string
		for _, m := range all {
			if !slices.Contains(tests, m.test) {
				tests = append(tests, m.test)
			}
		}
		limit := time.Duration(len(tests)) * timeout
		ctx, cancel := context.WithTimeout(ctx, limit+time.Minute)
		cmd := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-vet=off", "-tags", g.tags,
			"-timeout", limit.String(), "-run", "^("+strings.Join(tests, "|")+")$", g.pkg)
		cmd.Dir, cmd.Env = root, append(os.Environ(), all[0].env...)
		b, err := cmd.CombinedOutput()
		cancel()
		if err == nil {
			continue
		}
		for _, m := range all {
			if !strings.Contains(string(b), "--- PASS: "+m.test+" ") {
				unsound[m.name] = string(b)
			}
		}
	}
	return unsound
}

func writeOverlay(root, dir, path string, src []byte) (string, error) {
	abs, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "mutated.go")
	if err := os.WriteFile(changed, src, 0o600); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{abs: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}

func (m mutant) runTest(ctx context.Context, root, overlay string, timeout time.Duration) (out string, failed bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-v", "-failfast", "-count=1", "-vet=off", "-tags", m.tags,
		"-timeout", timeout.String(), "-run", "^"+m.test+"$", m.pkg)
	cmd.Dir = root
	// By the environment it reaches what the test builds, too.
	cmd.Env = append(append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay)), m.env...)
	b, err := cmd.CombinedOutput()
	return string(b), err != nil
}
