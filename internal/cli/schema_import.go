package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
)

// importPool is what files may import.
type importPool struct {
	given    map[string][]schema.Import // by --import, by the ending of their files
	files    map[string]string          // of those, by name
	subjects map[string]string          // of files, by --subject
}

// importFiles are the files of --import, by name.
func (s contractSource) importFiles() map[string]string {
	files := map[string]string{}
	for _, text := range s.imports {
		name, file, _ := strings.Cut(text, "=")
		files[name] = file
	}
	return files
}

// name gives the imports whose files are contracts themselves the subjects of these, so that no schema
// is registered under two.
func (p *importPool) name(all []contract) {
	for _, given := range p.given {
		for i := range given {
			file := filepath.Clean(p.files[given[i].Name])
			if at := slices.IndexFunc(all, func(c contract) bool { return filepath.Clean(c.file) == file }); at >= 0 {
				given[i].Subject = all[at].subject
			}
		}
	}
}

// dirsBetween are the directories from that of a file up to the one it was found below.
func dirsBetween(file, top string) (dirs []string) {
	dir := filepath.Dir(file)
	for dirs = []string{dir}; file != top && dir != filepath.Clean(top) && dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		dirs = append(dirs, dir)
	}
	return dirs
}

// importsOf is all that a text needs which stands where the contract's does, each after what it needs
// itself, and no more.
func (c contract) importsOf(typ schema.Type, text string) []schema.Import {
	if c.pool == nil {
		return c.imports
	}
	w := importWalk{contract: c, typ: typ, seen: map[string]bool{}}
	for ext, of := range schemaExtensions {
		if of == typ {
			w.given = c.pool.given[ext]
		}
	}
	direct := w.into("", text)
	for i, im := range w.all {
		w.all[i].Indirect = !slices.ContainsFunc(direct, func(r schema.Reference) bool { return r.Name == im.Name })
	}
	return w.all
}

type importWalk struct {
	contract
	typ   schema.Type
	given []schema.Import
	seen  map[string]bool
	all   []schema.Import
}

// into adds what a text needs, and returns what it refers to itself. What is wrong with a text is told
// where it is read, not here.
func (w *importWalk) into(name, text string) (direct []schema.Reference) {
	var names []string
	switch w.typ {
	case schema.Avro:
		names, _ = avro.Refers(text, w.given)
	case schema.JSONSchema:
		names, _ = jsonschema.Refers(name, text, w.given)
	case schema.Protobuf:
		names, _ = protobuf.Imports(text)
	}
	for _, name := range names {
		if w.seen[name] {
			direct = append(direct, schema.Reference{Name: name})
			continue
		}
		im, ok := w.find(name)
		if !ok {
			continue
		}
		w.seen[name] = true
		im.References = w.into(name, im.Text)
		w.all = append(w.all, im)
		direct = append(direct, im.Reference)
	}
	return direct
}

// find looks for an import among those of --import, then in the directories.
func (w *importWalk) find(name string) (schema.Import, bool) {
	if at := slices.IndexFunc(w.given, func(im schema.Import) bool { return im.Name == name }); at >= 0 {
		return w.given[at], true
	}
	path := filepath.FromSlash(name)
	if !filepath.IsLocal(path) {
		return schema.Import{}, false
	}
	for _, dir := range w.dirs {
		file := filepath.Join(dir, path)
		if text, err := os.ReadFile(file); err == nil {
			return schema.Import{Reference: schema.Reference{Name: name, Subject: subjectOf(file, w.pool.subjects)}, Text: string(text)}, true
		}
	}
	return schema.Import{}, false
}
