package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/leatdev/leat/kafka"
)

const root = "../.."

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "docs", "reference", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// literals returns the string literals of the product's own Go files that match, without tests.
func literals(t *testing.T, match *regexp.Regexp) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if rel == "test" || rel == "leattest" || strings.HasPrefix(rel, ".") && rel != "." || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil && match.MatchString(s) {
					found = append(found, s)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// told returns what the page names in backquotes and matches.
func told(text string, match *regexp.Regexp) []string {
	var names []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		if match.MatchString(m[1]) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func same(t *testing.T, pageName string, code, page []string) {
	t.Helper()
	if len(code) == 0 {
		t.Fatal("the code names nothing: the test looks in the wrong place")
	}
	for _, name := range code {
		if !slices.Contains(page, name) {
			t.Errorf("%s does not tell of %s", pageName, name)
		}
	}
	for _, name := range page {
		if !slices.Contains(code, name) {
			t.Errorf("%s tells of %s, which the code does not know", pageName, name)
		}
	}
}

func TestEveryHeaderIsOnItsPage(t *testing.T) {
	t.Parallel()
	match := regexp.MustCompile(`^(ce_[a-z]+|leat-(reason|error|stack|source-[a-z]+|group|handler|attempts|first-failure|last-failure|version|omitted)|traceparent|tracestate|content-type)$`)
	same(t, "headers.md", literals(t, match), told(page(t, "headers.md"), match))
}

func TestEveryMetricIsOnItsPage(t *testing.T) {
	t.Parallel()
	match := regexp.MustCompile(`^leat_(leat|kafka|schema|registry|sqldb|consumer|outbox|service|devstack|build)_[a-z_]*[a-z]$`)
	tables := regexp.MustCompile(`^leat_(outbox_(meta|parked|delayed|shard|kept|kept_rest|cursor)|registry_record)$`)
	code := slices.DeleteFunc(literals(t, match), tables.MatchString)
	same(t, "metrics.md", code, told(page(t, "metrics.md"), match))
}

func TestEveryKafkaPropertyIsOnItsPage(t *testing.T) {
	t.Parallel()
	text := page(t, "kafka-properties.md")
	known := told(text, regexp.MustCompile(`^[a-z0-9._]+$`))
	for _, name := range kafka.PropertyNames() {
		if !slices.Contains(known, name) {
			t.Errorf("kafka-properties.md does not tell of %s", name)
		}
	}
}
