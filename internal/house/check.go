package house

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxLines is the length from which a file is two.
const maxLines = 800

// file is what the rules ask of one Go file.
type file struct {
	path    string
	room    string
	pkg     string
	test    bool
	lines   int
	doc     bool
	imports []imported
}

type imported struct {
	path string
	line int
}

// outside tells that the file is a test from outside its package.
func (f *file) outside() bool { return f.test && strings.HasSuffix(f.pkg, "_test") }

// Check returns what in a module's tree breaks the law, sorted, one line each.
func (l *Law) Check(tree fs.FS) ([]string, error) {
	module, err := moduleName(tree)
	if err != nil {
		return nil, err
	}
	files, err := parse(tree)
	if err != nil {
		return nil, err
	}
	faults, err := l.checkRoot(tree)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		faults = append(faults, l.checkFile(f, module)...)
	}
	faults = append(faults, l.checkPackages(files)...)
	slices.Sort(faults)
	return slices.Compact(faults), nil
}

func moduleName(tree fs.FS) (string, error) {
	mod, err := fs.ReadFile(tree, "go.mod")
	if err != nil {
		return "", fmt.Errorf("read the module's name: %w", err)
	}
	for text := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(text), "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", errors.New("read the module's name: go.mod has none")
}

// parse reads every Go file of the module, whatever its build tags say.
func parse(tree fs.FS) ([]*file, error) {
	var files []*file
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if foreign(tree, name) {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		f, err := parseFile(tree, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	return files, nil
}

// foreign tells whether a directory is none of the module's packages.
func foreign(tree fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

func parseFile(tree fs.FS, name string) (*file, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, source, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil, err
	}
	f := &file{
		path:  name,
		room:  path.Dir(name),
		pkg:   syntax.Name.Name,
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(source), "\n"),
		doc:   syntax.Doc != nil && !ast.IsGenerated(&ast.File{Package: syntax.Package, Comments: []*ast.CommentGroup{syntax.Doc}}),
	}
	if f.room == "." {
		f.room = root
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		f.imports = append(f.imports, imported{p, set.Position(spec.Pos()).Line})
	}
	return f, nil
}

func (l *Law) checkFile(f *file, module string) []string {
	var faults []string
	fault := func(line int, text string) {
		if text != "" {
			faults = append(faults, fmt.Sprintf("%s:%d: %s", f.path, line, text))
		}
	}
	if f.lines > maxLines {
		fault(f.lines, fmt.Sprintf("%d lines: more than %d are two files", f.lines, maxLines))
	}
	_, stairs := l.stair(f.room)
	for _, i := range f.imports {
		room, ours := within(module, i.path)
		first, _, _ := strings.Cut(i.path, "/")
		switch {
		case ours:
			fault(i.line, l.arrow(f.room, room, f.outside()))
			if strings.HasPrefix(room, "internal/") && (f.room == "shop" || strings.HasPrefix(f.room, "shop/")) {
				fault(i.line, "imports "+room+": the shop uses public doors only")
			}
		case f.test:
		case first == "testing":
			if !kit(f.room) {
				fault(i.line, "imports "+i.path+" in production code")
			}
		case strings.Contains(first, ".") && !stairs:
			fault(i.line, l.material(f.room, i.path))
		}
	}
	return faults
}

// kit tells whether a room is handed a testing.TB. leattest/server is used by
// mains and is not.
func kit(room string) bool {
	return room == "leattest" || strings.HasPrefix(room, "leattest/") && room != "leattest/server"
}

// within returns the room that an import path of our own module means.
func within(module, p string) (room string, ours bool) {
	if p == module {
		return root, true
	}
	return strings.CutPrefix(p, module+"/")
}

// checkPackages looks at what concerns a directory as a whole.
func (l *Law) checkPackages(files []*file) []string {
	var faults []string
	docs := map[[2]string]int{} // room and package -> package comments
	for _, f := range files {
		_, floor := l.floor(f.room)
		_, stair := l.stair(f.room)
		if !floor && !stair {
			faults = append(faults, fmt.Sprintf("%s: a room the page does not know: give it a floor", f.room))
		}
		if f.test {
			continue
		}
		docs[[2]string{f.room, f.pkg}] += 0
		if f.doc {
			docs[[2]string{f.room, f.pkg}]++
		}
	}
	for p, n := range docs {
		if n != 1 {
			faults = append(faults, fmt.Sprintf("%s: package %s has %d package comments, want one", p[0], p[1], n))
		}
	}
	return faults
}

// checkRoot compares the root directory with the list; what git ignores may lie there.
func (l *Law) checkRoot(tree fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	}
	ignored := []string{".git"}
	if text, err := fs.ReadFile(tree, ".gitignore"); err == nil {
		for pattern := range strings.Lines(string(text)) {
			ignored = append(ignored, strings.Trim(strings.TrimSpace(pattern), "/"))
		}
	}
	var faults []string
	for _, e := range entries {
		skip := slices.ContainsFunc(ignored, func(pattern string) bool {
			match, err := path.Match(pattern, e.Name())
			return match && err == nil
		})
		if !skip && !l.atRoot(e.Name()) {
			faults = append(faults, fmt.Sprintf("%s: the root holds only what the page lists", e.Name()))
		}
	}
	return faults, nil
}
