package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/schema"
)

// earlier is a version of a subject that is in use already.
type earlier struct {
	Version    int                `json:"version,omitempty"`
	ID         int32              `json:"id,omitempty"`
	Type       schema.Type        `json:"type"`
	Schema     string             `json:"schema"`
	References []schema.Reference `json:"references,omitempty"`
	Properties map[string]string  `json:"properties,omitempty"` // of its metadata
	RuleNames  []string           `json:"rules,omitempty"`      // that its registry keeps with it
	imports    []schema.Import
	name       string // for people: "version 3"
}

// baseline is what contracts are compared with.
type baseline interface {
	// versions are those of the contract's subject, newest first, and by what rules they are judged; no
	// versions: the subject is new.
	versions(ctx context.Context, c contract) ([]earlier, schema.Rules, error)
}

// baseline finds what --against names: registry, a URL, git:REF or a directory.
func (a *app) baseline(against string, level schema.Level) (baseline, error) {
	if ref, ok := strings.CutPrefix(against, "git:"); ok {
		if ref == "" || strings.HasPrefix(ref, "-") {
			return nil, usagef("--against %q: want git:REF, for example git:main", against)
		}
		return gitBaseline{ref}, nil
	}
	at := ""
	switch {
	case against == "registry":
	case strings.Contains(against, "://"):
		at = against
	default:
		info, err := os.Stat(against)
		if err != nil || !info.IsDir() {
			return nil, usagef("--against %q: want registry, a URL, git:REF or a directory, and there is no such directory (leat schema pull makes one)", against)
		}
		return dirBaseline{against}, nil
	}
	client, err := a.registryClient(at)
	if err != nil {
		return nil, err
	}
	return registryBaseline{client: client, level: level}, nil
}

type registryBaseline struct {
	client *schema.Client
	level  schema.Level // in place of the subject's; "": that one
	all    bool         // all versions, not those alone that the level asks for
}

func (b registryBaseline) versions(ctx context.Context, c contract) ([]earlier, schema.Rules, error) {
	rules, err := b.client.Rules(ctx, c.subject)
	if err != nil {
		return nil, rules, err
	}
	numbers, err := b.client.Versions(ctx, c.subject)
	if errors.Is(err, schema.ErrNotFound) {
		return nil, rules, nil
	}
	if err != nil {
		return nil, rules, err
	}
	if !b.all && rules.Group == "" && !cmp.Or(b.level, rules.Level).Transitive() {
		numbers = numbers[max(0, len(numbers)-1):]
	}
	var all []earlier
	for _, n := range slices.Backward(numbers) {
		got, err := b.client.Annotated(ctx, c.subject, n)
		if err != nil {
			return nil, rules, err
		}
		e := earlier{Version: got.Version, ID: got.ID, Type: got.Type, Schema: got.Text, References: got.References, Properties: got.Metadata.Properties, name: "version " + strconv.Itoa(n)}
		for _, r := range slices.Concat(got.RuleSet.Migration, got.RuleSet.Domain, got.RuleSet.Encoding) {
			if !r.Disabled {
				e.RuleNames = append(e.RuleNames, r.Name)
			}
		}
		if e.imports, err = schema.Resolve(ctx, b.client, got.References); err != nil {
			return nil, rules, err
		}
		all = append(all, e)
	}
	return all, rules, nil
}

// snapshot is a subject in a directory that `leat schema pull` wrote.
type snapshot struct {
	Subject string `json:"subject"`
	schema.Rules
	Versions []earlier `json:"versions"` // newest first
}

// snapshotSuffix is what the name of a snapshot's file ends with.
const snapshotSuffix = ".subject"

// snapshotFile is the name of a subject's file: with the escapes of a URL, and no hidden file.
func snapshotFile(subject string) string {
	name := url.PathEscape(subject)
	if strings.HasPrefix(name, ".") {
		name = "%2E" + name[1:]
	}
	return name + snapshotSuffix
}

// dirBaseline is a snapshot, or a directory with one file per subject as it was.
type dirBaseline struct{ dir string }

func (b dirBaseline) read(subject string) (s snapshot, found bool, err error) {
	name := filepath.Join(b.dir, snapshotFile(subject))
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, false, fmt.Errorf("read the snapshot of %s: %w", subject, err)
	}
	return s, true, nil
}

func (b dirBaseline) versions(_ context.Context, c contract) ([]earlier, schema.Rules, error) {
	s, found, err := b.read(c.subject)
	if err != nil {
		return nil, s.Rules, err
	}
	if !found {
		return b.plain(c)
	}
	for i := range s.Versions {
		e := &s.Versions[i]
		e.name = "version " + strconv.Itoa(e.Version)
		if e.imports, err = schema.Resolve(context.Background(), snapshotRegistry{Registry: nil, from: b}, e.References); err != nil {
			return nil, s.Rules, err
		}
	}
	return s.Versions, s.Rules, nil
}

// plain looks for the subject's file, in any of the languages.
func (b dirBaseline) plain(c contract) ([]earlier, schema.Rules, error) {
	for _, ext := range []string{".avsc", ".json", ".proto"} {
		name := filepath.Join(b.dir, url.PathEscape(c.subject)+ext)
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, schema.Rules{}, fmt.Errorf("read what %s was: %w", c.subject, err)
		}
		return []earlier{{Type: schemaExtensions[ext], Schema: string(data), imports: c.importsOf(schemaExtensions[ext], string(data)), name: name}}, schema.Rules{}, nil
	}
	return nil, schema.Rules{}, nil
}

// snapshotRegistry answers what references ask for.
type snapshotRegistry struct {
	schema.Registry
	from dirBaseline
}

func (r snapshotRegistry) Version(_ context.Context, subject string, version int) (schema.Registered, error) {
	s, found, err := r.from.read(subject)
	if err != nil {
		return schema.Registered{}, err
	}
	for _, e := range s.Versions {
		if e.Version == version || version == -1 {
			return schema.Registered{Subject: subject, Version: e.Version, ID: e.ID, Type: e.Type, Text: e.Schema, References: e.References}, nil
		}
	}
	if !found {
		return schema.Registered{}, fmt.Errorf("the snapshot has no subject %s: pull it too", subject)
	}
	return schema.Registered{}, fmt.Errorf("the snapshot has no version %d of %s: pull again", version, subject)
}

// gitBaseline is the same file at another commit.
type gitBaseline struct{ ref string }

func (b gitBaseline) versions(ctx context.Context, c contract) ([]earlier, schema.Rules, error) {
	if c.file == "" {
		return nil, schema.Rules{}, usagef("--against git:REF compares files; for contracts of Go types take the registry or a directory")
	}
	dir, name := filepath.Split(c.file)
	git := func(args ...string) ([]byte, error) { return b.git(ctx, dir, args...) }
	if _, err := git("rev-parse", "--verify", "--quiet", b.ref+"^{commit}"); err != nil {
		return nil, schema.Rules{}, fmt.Errorf("%s is no commit here: %w; in CI, fetch it first", b.ref, err)
	}
	listed, err := git("ls-tree", "--name-only", b.ref, "--", name)
	if err != nil {
		return nil, schema.Rules{}, err
	}
	if len(bytes.TrimSpace(listed)) == 0 {
		return nil, schema.Rules{}, nil
	}
	text, err := git("show", b.ref+":./"+name)
	if err != nil {
		return nil, schema.Rules{}, err
	}
	typ := schemaExtensions[filepath.Ext(name)]
	return []earlier{{Type: typ, Schema: string(text), imports: c.importsOf(typ, string(text)), name: "git:" + b.ref}}, schema.Rules{}, nil
}

// git runs git in a directory, "": this one.
func (b gitBaseline) git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", filepath.Clean(dir)}, args...)...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}
