package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/gen"
)

// generating is what `leat schema gen` is told.
type generating struct {
	source    contractSource
	options   gen.Options
	out       string
	event     string
	comments  string
	manifests []string
}

func (a *app) schemaGenCommand() *cobra.Command {
	var s generating
	cmd := &cobra.Command{
		Use:   "gen [FILE...] [-- SERVICE-BINARY ARGS...]",
		Short: "Write Go types of a schema, schemas of Go types, or their comments for schemas",
		Long: `gen with a file, .avsc (Avro) or .json (JSON Schema), writes Go types: an event and all that it is made of.
The contract of the event is the schema of the file: where Go types can't say all of it, the event carries
the text. What no Go type can hold is an error with its place. For .proto files there is protoc-gen-go.
Files of one package go together, into one Go file: what several events hold stands there once.

Without a file it goes the other way: it writes the schemas of the Go types of services, one file for each
subject into the directory --out, or the one of --event to stdout. The services are those of the binary
behind --, which is run with --manifest; those of files with what that prints; or those of this binary.

With --comments it reads the Go source of a package, and writes a Go file that gives its types and fields
their comments as the docs of the schemas that are derived from them. A doc tag wins.`,
		Example: `  leat schema gen orders.avsc --package order --key order_id --out order/order.go
  leat schema gen placed.avsc cancelled.avsc --key order_id --out order/events.go
  leat schema gen --out contracts -- ./order
  leat schema gen --comments . --out schema_docs.go`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.generate(cmd, s, args) },
	}
	f := cmd.Flags()
	f.StringVar(&s.out, "out", "", "`file` to write, for schemas a directory; default: stdout")
	f.StringVar(&s.options.Package, "package", "", "`name` of the Go package; default: that of the directory of --out, or contract")
	f.StringVar(&s.options.EventType, "type", "", "event `type`; default: the name of the record, or the title of a JSON Schema")
	f.StringVar(&s.options.Key, "key", "", "`field`, as the schema calls it, that is the key of the event")
	f.StringVar(&s.event, "event", "", "schema of the Go type of this event `type` alone")
	f.StringVar(&s.comments, "comments", "", "`directory` of the Go package whose comments are docs of its schemas")
	f.StringArrayVarP(&s.manifests, "file", "F", nil, "`file` with what a service's --manifest prints, JSON or YAML; repeat for more")
	f.StringArrayVar(&s.source.imports, "import", nil, "`NAME=FILE` of a schema that the file refers to by that name; repeat for more, each after those that it refers to itself")
	f.StringVar(&s.source.prefix, "prefix", "", "`text` before the names of topics of this binary's services")
	return cmd
}

func (a *app) generate(cmd *cobra.Command, s generating, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case s.comments != "" && len(args)+len(s.manifests) > 0:
		return usagef("--comments goes with a directory alone")
	case s.comments != "":
		return a.generateComments(s)
	case dash < 0 && len(args) > 0 && len(s.manifests) > 0:
		return usagef("--file goes with schemas of Go types, not with %s", args[0])
	case len(args) > 1 && dash < 0 && s.options.EventType != "":
		return usagef("--type goes with one file: %d events can't all be of one type", len(args))
	case dash < 0 && len(args) > 0:
		return a.generateTypes(s, args)
	}
	return a.generateSchemas(cmd, s, args)
}

// generateTypes writes the Go types of files.
func (a *app) generateTypes(s generating, names []string) error {
	_, imports, err := s.source.mappings()
	if err != nil {
		return err
	}
	var all []schema.Schema
	var from []string
	for _, name := range names {
		parsed, err := parseFile(name, imports)
		if err != nil {
			return err
		}
		all, from = append(all, parsed), append(from, filepath.Base(name))
	}
	s.options.From = strings.Join(from, ", ")
	if s.options.Package == "" {
		s.options.Package = packageOf(s.out)
	}
	code, err := gen.Together(s.options, all...)
	if err != nil {
		return fmt.Errorf("%s: %w", s.options.From, err)
	}
	return a.put(s.out, code)
}

// parseFile reads a schema, whose language its ending says.
func parseFile(name string, imports map[string][]schema.Import) (schema.Schema, error) {
	typ := schemaExtensions[filepath.Ext(name)]
	if typ == "" {
		return nil, usagef("%s: want a file with the ending .avsc or .json", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	parsed, err := languageOf(typ).Parse(string(text), imports[filepath.Ext(name)])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}

// packageOf is the name of the package that a file belongs to, "" where nothing says it.
func packageOf(out string) string {
	dir, err := filepath.Abs(filepath.Dir(out))
	if name := filepath.Base(dir); out != "" && err == nil && token.IsIdentifier(name) {
		return name
	}
	return ""
}

// put writes data into a file, whose directory it makes, or to stdout without one.
func (a *app) put(out string, data []byte) error {
	if out == "" || out == "-" {
		_, err := a.cfg.Stdout.Write(data)
		return err
	}
	err := os.MkdirAll(filepath.Dir(out), 0o755)
	if err == nil {
		err = os.WriteFile(out, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write what was generated: %w", err)
	}
	a.say("%s is written", out)
	return nil
}

// generateSchemas writes the schemas of Go types.
func (a *app) generateSchemas(cmd *cobra.Command, s generating, args []string) error {
	var all []contract
	for _, file := range s.manifests {
		found, err := readManifests(file)
		if err != nil {
			return err
		}
		for _, m := range found {
			all = append(all, contractsOf(m.Service, m.Contracts)...)
		}
	}
	if len(s.manifests) == 0 || len(args) > 0 {
		own, err := a.contracts(cmd, s.source, args)
		if err != nil {
			return err
		}
		all = append(all, own...)
	}
	if s.event != "" {
		return a.generateSchema(s, all)
	}
	if s.out == "" {
		return usagef("say the directory that takes the schemas with --out, or one event with --event")
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return fmt.Errorf("make the directory of the schemas: %w", err)
	}
	written := 0
	seen := map[string]contract{}
	for _, c := range all {
		if c.fault != "" {
			a.say("%s has no schema: %s", c.from, c.fault)
			continue
		}
		if other, twice := seen[c.subject]; twice && other.text != c.text {
			return fmt.Errorf("%s and %s are both of subject %s: choose with --event", other.from, c.from, c.subject)
		}
		seen[c.subject] = c
		text, err := pretty(c)
		if err != nil {
			return err
		}
		name := url.PathEscape(c.subject) + extensionOf(c.typ)
		if err := os.WriteFile(filepath.Join(s.out, name), text, 0o644); err != nil {
			return fmt.Errorf("write the schema of %s: %w", c.subject, err)
		}
		written++
	}
	a.say("%d schemas are in %s", written, s.out)
	return nil
}

// generateSchema writes the schema of one event.
func (a *app) generateSchema(s generating, all []contract) error {
	for _, c := range all {
		if c.event != s.event {
			continue
		}
		if c.fault != "" {
			return fmt.Errorf("%s has no schema: %s", c.from, c.fault)
		}
		text, err := pretty(c)
		if err != nil {
			return err
		}
		return a.put(s.out, text)
	}
	return usagef("none of the services writes an event of type %s", s.event)
}

func extensionOf(typ schema.Type) string {
	for ext, t := range schemaExtensions {
		if t == typ {
			return ext
		}
	}
	return ""
}

// pretty is the text of a contract as people read it. It means the same.
func pretty(c contract) ([]byte, error) {
	if c.typ == schema.Protobuf {
		return []byte(c.text), nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(c.text), "", "  "); err != nil {
		return nil, fmt.Errorf("write the schema of %s: %w", c.subject, err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// generateComments writes the comments of a package.
func (a *app) generateComments(s generating) error {
	names, err := filepath.Glob(filepath.Join(s.comments, "*.go"))
	if err != nil || len(names) == 0 {
		return usagef("there are no Go files in %s", s.comments)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = os.ReadFile(name); err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
	}
	code, err := gen.Comments(files)
	if err != nil {
		return err
	}
	return a.put(s.out, code)
}
