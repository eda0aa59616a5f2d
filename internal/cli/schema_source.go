package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

// contract is a schema that is about to ship.
type contract struct {
	subject string
	typ     schema.Type
	text    string
	imports []schema.Import
	from    string // where it comes from, for people
	event   string // type; "": a file's
	message string // of the Protobuf text; "": a file's, or another language
	topic   string // "": a file's
	key     bool   // of the topic's keys
	file    string // "": a Go type
	derived bool   // from a Go type
	plain   bool   // its events are plain JSON: no registry has it
	fault   string // why there is no schema; "": there is one

	pool *importPool // of a file: what it may import
	dirs []string    // of a file: where its imports may lie, nearest first
}

// schemaExtensions are the files that hold schemas.
var schemaExtensions = map[string]schema.Type{".avsc": schema.Avro, ".proto": schema.Protobuf, ".json": schema.JSONSchema}

// contractSource says where contracts come from.
type contractSource struct {
	subjects []string // FILE=SUBJECT
	imports  []string // NAME=FILE
	prefix   string
}

const contractSourceLong = `

Contracts are files with the endings .avsc (Avro), .proto (Protobuf) and .json (JSON Schema), directories
of such files, or what the services of a binary write: behind --, the command line of one, which is run
with --manifest; without anything, the services of this binary. The subject of a file is its name without
the ending, orders-value.avsc is of orders-value, unless --subject says otherwise. What a .proto file
imports is found beside it, too, and in the directories above up to the one that is named here.`

func (s *contractSource) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.subjects, "subject", nil, "subject of a file, `FILE=SUBJECT`; repeat for more")
	f.StringArrayVar(&s.imports, "import", nil, "`NAME=FILE` of a schema that the files refer to by that name; repeat for more, each after those that it refers to itself")
	f.StringVar(&s.prefix, "prefix", "", "`text` before the names of topics of this binary's services")
}

// contracts reads all that the command line names, which may be none: a service that only reads writes
// nothing that could break.
func (a *app) contracts(cmd *cobra.Command, s contractSource, args []string) ([]contract, error) {
	all, err := a.contractsNamed(cmd, s, args)
	if err == nil && len(all) == 0 {
		a.say("there are no contracts: the services own no topics, so they write no events")
	}
	return all, err
}

func (a *app) contractsNamed(cmd *cobra.Command, s contractSource, args []string) ([]contract, error) {
	dash := cmd.ArgsLenAtDash()
	switch {
	case dash > 0 || dash == 0 && len(args) == 0:
		return nil, usagef("want files, or -- and the command line of a service")
	case dash == 0:
		return a.contractsOfBinary(cmd.Context(), args)
	case len(args) > 0:
		return s.files(args)
	}
	services, err := a.chosen(nil)
	if err != nil {
		return nil, err
	}
	if len(services) == 0 {
		return nil, usagef("there are no services in this binary: name files, or -- and the command line of a service")
	}
	var all []contract
	for _, c := range services {
		own, err := c.Contracts(s.prefix)
		if err != nil {
			return nil, err
		}
		all = append(all, contractsOf(c.Name, own)...)
	}
	return all, nil
}

func contractsOf(name string, own []service.Contract) []contract {
	var all []contract
	for _, c := range own {
		of := "event " + c.Event
		if c.Key {
			of = "keys of " + c.Topic
		}
		all = append(all, contract{
			subject: c.Subject, typ: c.Type, text: c.Schema, imports: c.SchemaImports(), fault: c.Fault,
			from: "service " + name + ", " + of, event: c.Event, message: c.Message, topic: c.Topic, key: c.Key, derived: !c.Written, plain: c.Encoding == leat.PlainJSON,
		})
	}
	return all
}

// manifestsOfBinary runs a service's own binary for its manifest.
func (a *app) manifestsOfBinary(ctx context.Context, args []string) ([]service.Manifest, error) {
	if !slices.Contains(args, "--manifest") {
		args = append(slices.Clone(args), "--manifest")
	}
	run := exec.CommandContext(ctx, args[0], args[1:]...)
	run.Env, run.Stderr = a.cfg.Environ, a.cfg.Stderr
	out, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", strings.Join(args, " "), err)
	}
	manifests, err := decodeManifests(out)
	if err != nil {
		return nil, fmt.Errorf("read what %s prints: %w", strings.Join(args, " "), err)
	}
	if len(manifests) == 0 {
		return nil, fmt.Errorf("%s prints no manifest: it is no service, or takes no --manifest", strings.Join(args, " "))
	}
	return manifests, nil
}

func (a *app) contractsOfBinary(ctx context.Context, args []string) ([]contract, error) {
	manifests, err := a.manifestsOfBinary(ctx, args)
	if err != nil {
		return nil, err
	}
	var all []contract
	for _, m := range manifests {
		switch {
		case m.Service == "":
			return nil, fmt.Errorf("read what %s prints: %w", strings.Join(args, " "), errNoManifest)
		case len(m.Produces) > 0 && len(m.Contracts) == 0:
			return nil, fmt.Errorf("%s tells events of %s and no contracts: it is built with an older leat", strings.Join(args, " "), m.Service)
		}
		all = append(all, contractsOf(m.Service, m.Contracts)...)
	}
	return all, nil
}

// decodeManifests reads manifests one after the other, or in a list.
func decodeManifests(data []byte) (all []service.Manifest, err error) {
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if raw[0] == '[' {
			var list []service.Manifest
			if err := json.Unmarshal(raw, &list); err != nil {
				return nil, err
			}
			all = append(all, list...)
			continue
		}
		var one service.Manifest
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
}

// files reads the contracts of files and directories.
func (s contractSource) files(paths []string) ([]contract, error) {
	subjects, given, err := s.mappings()
	if err != nil {
		return nil, err
	}
	pool := importPool{given: given, files: s.importFiles(), subjects: subjects}
	var all []contract
	seen := map[string]string{}
	for _, path := range paths {
		names, err := schemaFiles(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("read the schema: %w", err)
			}
			c := contract{
				subject: subjectOf(name, subjects), typ: schemaExtensions[filepath.Ext(name)], text: string(text),
				from: name, file: name, dirs: dirsBetween(name, path),
			}
			if other, twice := seen[c.subject]; twice {
				return nil, usagef("%s and %s are both of subject %s: tell them apart with --subject FILE=SUBJECT", other, name, c.subject)
			}
			seen[c.subject] = name
			all = append(all, c)
		}
	}
	pool.name(all)
	for i, c := range all {
		all[i].pool = &pool
		all[i].imports = all[i].importsOf(c.typ, c.text)
	}
	return all, nil
}

// subjectOf is the subject of a file, its name without the ending unless --subject says otherwise.
func subjectOf(name string, subjects map[string]string) string {
	if to, ok := subjects[filepath.Clean(name)]; ok {
		return to
	}
	return strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
}

// mappings reads --subject and --import, the imports by the ending of their files.
func (s contractSource) mappings() (subjects map[string]string, imports map[string][]schema.Import, err error) {
	subjects, imports = map[string]string{}, map[string][]schema.Import{}
	for _, text := range s.subjects {
		file, subject, ok := strings.Cut(text, "=")
		if !ok || file == "" || subject == "" {
			return nil, nil, usagef("--subject %q: want FILE=SUBJECT", text)
		}
		subjects[filepath.Clean(file)] = subject
	}
	for _, text := range s.imports {
		name, file, ok := strings.Cut(text, "=")
		if !ok || name == "" || schemaExtensions[filepath.Ext(file)] == "" {
			return nil, nil, usagef("--import %q: want NAME=FILE, a file with the ending .avsc, .proto or .json", text)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("read the import %s: %w", name, err)
		}
		ext := filepath.Ext(file)
		imports[ext] = append(imports[ext], schema.Import{Reference: schema.Reference{Name: name}, Text: string(data)})
	}
	return subjects, imports, nil
}

// schemaFiles are the files of schemas at and below a path. Below a directory, what is hidden stays
// hidden.
func schemaFiles(path string) (names []string, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read schemas: %w", err)
	case !info.IsDir() && schemaExtensions[filepath.Ext(path)] == "":
		return nil, usagef("%s: want a file with the ending .avsc, .proto or .json", path)
	case !info.IsDir():
		return []string{path}, nil
	}
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != path && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return filepath.SkipDir
		case !d.IsDir() && schemaExtensions[filepath.Ext(name)] != "" && !strings.HasPrefix(d.Name(), "."):
			names = append(names, name)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no file with the ending .avsc, .proto or .json below %s", path)
	}
	return names, err
}
