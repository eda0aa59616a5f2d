package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatdev/leat/service"
)

var update = flag.Bool("update", false, "write docs/reference/cli.md anew")

const referencePath = "../../docs/reference/cli.md"

const referenceHead = `# The command line

Written by the test of internal/cli out of the commands themselves (` + "`go test ./internal/cli -update`" + `).

Data goes to stdout, talk to stderr. Exit status: 0 done, 1 failed, 2 wrong command line or setting, 3 a check found something (a plan with changes, a lag over the limit, a doctor's finding, an outbox in trouble, a demo whose books do not balance).

A flag wins over the environment (LEAT_KAFKA_BROKERS, LEAT_DATABASE_URL, LEAT_KAFKA_X_...), that over the file (--config, LEAT_CONFIG), that over the default. ` + "`-o json`" + ` is one document, ` + "`-o jsonl`" + ` an object per line. On a terminal, long work tells on stderr how far it is.

`

// TestReferenceTellsTheCommandsAsTheyAre holds the page to the commands, their flags and their texts.
func TestReferenceTellsTheCommandsAsTheyAre(t *testing.T) {
	t.Parallel()
	var services []service.Config
	for _, name := range []string{"order", "payment", "inventory", "shipping", "notification"} {
		services = append(services, service.Config{Name: name})
	}
	a := newApp(Config{Services: services, Demo: func(context.Context, Demo) error { return nil }, Environ: []string{}}.withDefaults())
	root := a.root()
	root.InitDefaultCompletionCmd()
	var b bytes.Buffer
	b.WriteString(referenceHead)
	writeCommand(&b, root)
	if *update {
		if err := os.WriteFile(referencePath, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s is not as the commands are; run: go test ./internal/cli -update\n%s", referencePath, diff)
	}
}

func writeCommand(b *bytes.Buffer, c *cobra.Command) {
	if c.Runnable() && !c.HasSubCommands() || !c.HasParent() {
		fmt.Fprintf(b, "## %s\n\n", c.CommandPath())
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(b, "```\n%s\n```\n\n%s\n\n", c.UseLine(), fenced(c, text))
		if c.Example != "" {
			fmt.Fprintf(b, "```sh\n%s\n```\n\n", strings.ReplaceAll(strings.Trim(c.Example, "\n"), "\n  ", "\n"))
		}
		writeFlags(b, c)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			writeCommand(b, sub)
		}
	}
}

// fenced keeps the texts of the completion commands, which hold commands by indentation, as they are.
func fenced(c *cobra.Command, text string) string {
	if c.HasParent() && c.Parent().Name() == "completion" {
		return c.Short + "."
	}
	return strings.TrimSpace(text)
}

func writeFlags(b *bytes.Buffer, c *cobra.Command) {
	flags := c.NonInheritedFlags()
	if !flags.HasAvailableFlags() {
		return
	}
	b.WriteString("| flag | default | what |\n|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		standard := f.DefValue
		if standard == "[]" || standard == "false" || standard == "" {
			standard = " "
		} else {
			standard = "`" + standard + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, standard, strings.ReplaceAll(usage, "|", "\\|"))
	})
	b.WriteString("\n")
}
