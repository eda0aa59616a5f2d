package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// diffView is what lies between two schemas.
type diffView struct {
	Subject    string      `json:"subject"`
	From       string      `json:"from"`
	To         string      `json:"to"`
	Policy     string      `json:"policy,omitempty"`     // of JSON Schemas
	NewReaders []breakView `json:"newReaders,omitempty"` // why readers with the new schema can't read what is there
	OldReaders []breakView `json:"oldReaders,omitempty"` // why readers with the old one can't read what comes
	Warnings   []breakView `json:"warnings,omitempty"`
	Text       string      `json:"text,omitempty"` // unified
}

// diffEnd is one of the two schemas.
type diffEnd struct {
	name   string
	parsed schema.Schema
}

func (a *app) schemaDiffCommand() *cobra.Command {
	var references []string
	cmd := &cobra.Command{
		Use:   "diff SUBJECT [VERSION] [VERSION|FILE]",
		Short: "Show what lies between two versions of a subject",
		Long: `diff tells what the change from one schema to the other breaks for readers that have the new one, and for
those that still have the old one, whatever the subject's level asks for; what hurts although nothing
breaks; and the lines that changed, of the normalized texts. Without versions it goes from the last but one
to the latest; with one version, from that to the latest; with a file, from the latest to the file. It
leaves with 0 whatever it finds; for a verdict take "leat schema check" or compat.`,
		Example: "  leat schema diff orders-value\n  leat schema diff orders-value 3 5\n  leat schema diff orders-value orders-value.avsc",
		Args:    cobra.RangeArgs(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			v, err := diffOf(cmd.Context(), client, args[0], args[1:], references)
			if err != nil {
				return err
			}
			return showOne(a, v, v.write)
		},
	}
	referenceFlag(cmd, &references)
	return cmd
}

func diffOf(ctx context.Context, client *schema.Client, subject string, ends, references []string) (diffView, error) {
	v := diffView{Subject: subject}
	ends, err := diffEnds(ctx, client, subject, ends)
	if err != nil {
		return v, err
	}
	var both [2]diffEnd
	for i, end := range ends {
		if both[i], err = openEnd(ctx, client, subject, end, references); err != nil {
			return v, err
		}
	}
	before, after := both[0], both[1]
	v.From, v.To = before.name, after.name
	var policy schema.Policy
	if after.parsed.Type() == schema.JSONSchema {
		rules, err := client.Rules(ctx, subject)
		if err != nil {
			return v, err
		}
		if policy = rules.Policy; policy == "" {
			policy = schema.Strict
		}
		v.Policy = string(policy)
	}
	old, lang := []schema.Schema{before.parsed}, languageOf(after.parsed.Type())
	_, why := schema.Check(lang, schema.Backward, policy, after.parsed, old)
	v.NewReaders = breakViews(why)
	_, why = schema.Check(lang, schema.Forward, policy, after.parsed, old)
	v.OldReaders = breakViews(why)
	v.Warnings = breakViews(warn(old, after.parsed))
	v.Text = lineDiff(v.From, v.To, lines(before.parsed), lines(after.parsed))
	return v, nil
}

// diffEnds completes what the command line names to two ends.
func diffEnds(ctx context.Context, client *schema.Client, subject string, ends []string) ([]string, error) {
	switch {
	case len(ends) == 2:
		return ends, nil
	case len(ends) == 1 && isSchemaFile(ends[0]):
		return []string{"latest", ends[0]}, nil
	case len(ends) == 1:
		return []string{ends[0], "latest"}, nil
	}
	numbers, err := client.Versions(ctx, subject)
	if err != nil {
		return nil, err
	}
	if len(numbers) < 2 {
		return nil, fmt.Errorf("%s has no two versions to compare: name a file", subject)
	}
	last := numbers[len(numbers)-2:]
	return []string{strconv.Itoa(last[0]), strconv.Itoa(last[1])}, nil
}

func isSchemaFile(end string) bool { return schemaExtensions[filepath.Ext(end)] != "" }

// openEnd reads a version or a file.
func openEnd(ctx context.Context, client *schema.Client, subject, end string, references []string) (diffEnd, error) {
	var got schema.Registered
	e := diffEnd{name: end}
	isFile := isSchemaFile(end)
	if isFile {
		var err error
		if got, err = schemaFile(end, references); err != nil {
			return e, err
		}
	} else {
		version, err := versionArg([]string{end}, -1)
		if err != nil {
			return e, usagef("%q is neither a version, a number from 1 or latest, nor a file with the ending .avsc, .proto or .json", end)
		}
		if got, err = client.Version(ctx, subject, version); err != nil {
			return e, err
		}
		e.name = "version " + strconv.Itoa(got.Version)
	}
	lang := languageOf(got.Type)
	if lang == nil {
		return e, fmt.Errorf("%s of %s is of type %s, which leat does not know", e.name, subject, got.Type)
	}
	imports, err := schema.Resolve(ctx, client, got.References)
	if err != nil {
		return e, err
	}
	e.parsed, err = lang.Parse(got.Text, imports)
	if s, ok := e.parsed.(*avro.Schema); ok && isFile && err == nil {
		err = s.Validate()
	}
	if err != nil {
		return e, fmt.Errorf("read %s: %w", e.name, err)
	}
	return e, nil
}

// lines are those of a schema's normalized text, that of JSON indented.
func lines(s schema.Schema) []string {
	text := s.Normalized()
	var b bytes.Buffer
	if s.Type() != schema.Protobuf && json.Indent(&b, []byte(text), "", "  ") == nil {
		text = b.String()
	}
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

func (v diffView) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s to %s", plain(v.Subject), plain(v.From), plain(v.To))
	if v.Policy != "" {
		fmt.Fprintf(&b, " at policy %s", plain(v.Policy))
	}
	b.WriteByte('\n')
	verdict := func(readers, data string, why []breakView) {
		if len(why) == 0 {
			fmt.Fprintf(&b, "%s readers read %s data\n", readers, data)
			return
		}
		fmt.Fprintf(&b, "%s readers can't read %s data\n", readers, data)
		writeBreaks(&b, "break", why)
	}
	verdict("new", "old", v.NewReaders)
	verdict("old", "new", v.OldReaders)
	writeBreaks(&b, "warning", v.Warnings)
	if v.Text == "" {
		b.WriteString("the normalized texts are the same\n")
	}
	for line := range strings.Lines(v.Text) {
		b.WriteString(plain(strings.TrimSuffix(line, "\n")) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
