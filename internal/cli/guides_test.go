package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/service"
)

var (
	shellWord = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
)

// commandsOf are the command lines of leat in the code of a page, in blocks and between backquotes, without "leat".
func commandsOf(page string) (all [][]string) {
	var lines []string
	inBlock := false
	for line := range strings.Lines(page) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			inBlock = !inBlock
		case inBlock:
			lines = append(lines, line)
		default:
			for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
				lines = append(lines, m[1])
			}
		}
	}
	for _, line := range lines {
		line, _, _ = strings.Cut(strings.ReplaceAll(line, "leat's", ""), " # ")
		words := shellWord.FindAllString(line, -1)
		for i, w := range words {
			if w == "leat" || w == "bin/leat" {
				args := words[i+1:]
				if end := slices.IndexFunc(args, func(w string) bool {
					return slices.Contains([]string{"|", ">", ">>", "<", "&&", ";"}, w)
				}); end >= 0 {
					args = args[:end]
				}
				all = append(all, slices.DeleteFunc(slices.Clone(args), func(w string) bool { return w == "..." }))
			}
		}
	}
	return all
}

// Every command that the guides and the README show is one that there is, with flags that it has.
func TestCommandsOfTheGuidesAreThere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d guides, %v", len(pages), err)
	}
	services := []service.Config{{Name: "order"}, {Name: "payment"}}
	seen := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range commandsOf(string(text)) {
			line := filepath.Base(page) + ": leat " + strings.Join(args, " ")
			root := newApp(Config{Services: services, Demo: func(context.Context, Demo) error { return nil }, Environ: []string{}}.withDefaults()).root()
			cmd, rest, err := root.Find(args)
			if err == nil && cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				t.Errorf("%s: there is no command %s", line, rest[0])
				continue
			}
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			seen++
		}
	}
	if seen < 80 {
		t.Errorf("only %d commands were found: the test looks in the wrong place", seen)
	}
}
