package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Forms of the data.
const (
	formTable = "table"
	formJSON  = "json"
	formLines = "jsonl"
)

// outputAnnotation names the forms that a command has, where they are not the usual ones.
const outputAnnotation = "output"

func outputs(cmd *cobra.Command) []string {
	if forms, ok := cmd.Annotations[outputAnnotation]; ok {
		return strings.Split(forms, ",")
	}
	return []string{formTable, formJSON, formLines}
}

// show writes items: as a table with a row each, as one JSON array, or as a JSON object per line.
func show[T any](a *app, items []T, head []string, row func(T) []string) error {
	switch a.output {
	case formJSON:
		if items == nil {
			items = []T{}
		}
		return writeJSON(a.cfg.Stdout, items)
	case formLines:
		for _, item := range items {
			if err := writeLine(a.cfg.Stdout, item); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = row(item)
	}
	return writeTable(a.cfg.Stdout, head, rows)
}

// showOne writes a single thing: as JSON, or as table does.
func showOne[T any](a *app, item T, table func(w io.Writer) error) error {
	switch a.output {
	case formJSON:
		return writeJSON(a.cfg.Stdout, item)
	case formLines:
		return writeLine(a.cfg.Stdout, item)
	}
	return table(a.cfg.Stdout)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func writeTable(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = plain(cell); cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// plain escapes what could move the cursor, colour the terminal or break a line: text from a cluster
// is anybody's.
func plain(s string) string {
	if strings.IndexFunc(s, hidden) < 0 && !strings.ContainsRune(s, unicode.ReplacementChar) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// hidden tells of control and formatting characters, the ones that reverse the direction of a line
// included.
func hidden(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
