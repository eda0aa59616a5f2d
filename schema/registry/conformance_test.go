package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnswers runs the scripts of testdata/answers on every kind of log: pairs of a request and its
// answer. In between, "restart" starts a second registry on the same log, which has to answer as the
// first would have.
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/answers/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scripts", err)
	}
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, log Log) {
				got := play(t, log, string(script))
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(strings.Split(string(script), "\n"), strings.Split(got, "\n")); diff != "" && !*update {
					t.Error(diff)
				}
			})
		})
	}
}

// play sends the requests of a script and puts the answers below them.
func play(t *testing.T, log Log, script string) string {
	s, stop := startUntil(t, Config{Log: log})
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		method, rest, _ := strings.Cut(line, " ")
		switch method {
		case "", "#":
			out.WriteString(line + "\n")
			continue
		case "restart":
			out.WriteString(line + "\n")
			stop()
			log = another(t, log)
			s, stop = startUntil(t, Config{Log: log})
			continue
		case "GET", "POST", "PUT", "DELETE":
		default:
			continue // an answer
		}
		path, body, _ := strings.Cut(rest, " ")
		status, answer, _ := ask(t, s, method, path, body)
		fmt.Fprintf(&out, "%s\n%s\n", line, strings.TrimSpace(fmt.Sprintf("%d %s", status, answer)))
	}
	return out.String()
}
