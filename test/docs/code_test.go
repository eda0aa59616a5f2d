package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines are the lines of a text without indentation and empty ones.
func lines(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return "\n" + strings.Join(kept, "\n") + "\n"
}

// goBlocks returns the code between "```go" and "```". A block of somebody else's library opens with
// another word behind it, "```go there".
func goBlocks(page string) (blocks []string) {
	for {
		_, rest, found := strings.Cut(page, "\n```go\n")
		if !found {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "\n```")
		blocks, page = append(blocks, block), after
	}
}

// What the compiler has seen in moving_test.go, line by line, is what the pages print.
func TestCodeOfTheMovingGuidesCompiles(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("moving_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := lines(string(b))
	pages, err := filepath.Glob(filepath.Join(root, "docs", "guides", "from-*.md"))
	if err != nil || len(pages) < 3 {
		t.Fatalf("%d pages, %v: want those of Watermill, sarama and Spring at least", len(pages), err)
	}
	for _, name := range pages {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := goBlocks(string(text))
		if len(blocks) < 3 {
			t.Errorf("%s has %d blocks of our code, want 3 at least", filepath.Base(name), len(blocks))
		}
		for _, block := range blocks {
			if !strings.Contains(compiled, lines(block)) {
				t.Errorf("%s has code that moving_test.go does not compile:\n%s", filepath.Base(name), block)
			}
		}
	}
}
