package protobuf

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat/schema"
)

// What a schema may be at most.
const (
	maxText    = 1 << 20 // bytes of one text
	maxTotal   = 8 << 20 // bytes of a text and its imports
	maxImports = 500
	maxDepth   = 64 // of brackets within brackets
)

// rootPath is the path of the file itself, as Confluent's registry names it in a descriptor.
const rootPath = "default"

// parse reads and links a text with its imports.
func parse(text string, imports []schema.Import) (*parsed, error) {
	l := &linking{texts: map[string]string{rootPath: text}, read: map[string]*unit{}}
	total := len(text)
	for _, i := range imports {
		total += len(i.Text)
		l.texts[i.Name] = i.Text
	}
	switch {
	case strings.TrimSpace(text) == "":
		return nil, errors.New("the schema is empty")
	case len(imports) > maxImports:
		return nil, fmt.Errorf("%d imports: at most %d are read", len(imports), maxImports)
	case total > maxTotal:
		return nil, fmt.Errorf("%d bytes with all imports: at most %d are read", total, maxTotal)
	case len(l.texts) != len(imports)+1:
		return nil, fmt.Errorf("two imports have the same name, or one is named %q", rootPath)
	}
	files, err := l.compile(rootPath)
	if err != nil {
		return nil, err
	}
	s, err := newParsed(l.read[rootPath].file, files[0], imports)
	if err != nil {
		return nil, err
	}
	if s.canonical == "" {
		return nil, errors.New("the schema is empty")
	}
	return s, nil
}

// linking is one text and its imports on the way to descriptors.
type linking struct {
	texts map[string]string
	read  map[string]*unit
	open  []string // descriptors whose imports are being linked, to see a circle
	fault error    // the first text that can't be read, placed by its own lines
}

// unit is a text that was read, not yet linked.
type unit struct {
	file   *file
	tree   *ast.FileNode // what is linked
	source bool          // it is the author's own text, so places in it mean something to him

	missing []string // imports that it is linked without
}

func (l *linking) compile(paths ...string) (files linker.Files, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file can't be linked: %v", p)
		}
	}()
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(l.find)), MaxParallelism: 1}
	files, err = c.Compile(context.Background(), paths...)
	switch {
	case l.fault != nil:
		return nil, l.fault
	case err != nil:
		return nil, l.hint(l.place(err))
	}
	return files, nil
}

// find gives the linker a file. The registry's own copies of google/protobuf are passed over for the
// ones that Go's generated code knows.
func (l *linking) find(path string) (protocompile.SearchResult, error) {
	if strings.HasPrefix(path, "google/protobuf/") {
		return protocompile.SearchResult{}, protoregistry.NotFound
	}
	u, err := l.unit(path)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	return protocompile.SearchResult{AST: u.tree}, nil
}

func (l *linking) unit(path string) (*unit, error) {
	if u := l.read[path]; u != nil {
		return u, nil
	}
	text, given := l.texts[path]
	if !given {
		if text, given = builtins[path]; !given {
			return nil, protoregistry.NotFound
		}
	}
	if len(text) > maxText {
		return nil, fmt.Errorf("%s has %d bytes: at most %d are read", path, len(text), maxText)
	}
	u, err := l.readText(path, text)
	if err != nil {
		l.fault = cmp.Or(l.fault, err)
		return nil, err
	}
	l.read[path] = u
	return u, nil
}

func (l *linking) readText(path, text string) (*unit, error) {
	u := &unit{source: true}
	if data, is := descriptorBytes(text); is {
		f, err := l.descriptor(path, data)
		if err != nil {
			return nil, err
		}
		text, u.source = f.text(), false
	}
	if err := u.read(path, text); err != nil {
		return nil, err
	}
	if u.file.fold() { // the linker takes maps only in their own notation
		written := u.file
		if err := u.read(path, written.folded().text()); err != nil {
			return nil, err
		}
		u.file, u.source = written, false
	}
	if u.missing = l.missing(u.file); len(u.missing) > 0 {
		prune(u.tree, u.missing)
	}
	return u, nil
}

func (u *unit) read(path, text string) (err error) {
	if err = checkDepth(text); err != nil {
		return fmt.Errorf("%s%w", prefix(path), err)
	}
	if u.tree, err = parseText(path, text); err != nil {
		return place(err, u.source)
	}
	u.file = source{u.tree}.file()
	return nil
}

// descriptorBytes decodes a text that is no .proto file but the base64 of its descriptor.
func descriptorBytes(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	letter := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/=-_", r)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !letter(r) }) {
		return nil, false
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if data, err := enc.DecodeString(text); err == nil {
			return data, true
		}
	}
	return nil, false
}

// descriptor reads a descriptor. Its custom options are known by its imports, so these are linked
// first.
func (l *linking) descriptor(path string, data []byte) (*file, error) {
	d := &descriptorpb.FileDescriptorProto{}
	none := proto.UnmarshalOptions{Resolver: (*protoregistry.Types)(nil)}
	if err := none.Unmarshal(data, d); err != nil || len(data) == 0 {
		return nil, fmt.Errorf("%sthe text is neither a .proto file nor the base64 of a file descriptor", prefix(path))
	}
	if err := checkNesting(d.GetMessageType(), 32); err != nil {
		return nil, err
	}
	for _, p := range l.open {
		if p == path {
			return nil, fmt.Errorf("import %q: the files import each other in a circle", path)
		}
	}
	if unknownOptions(d.ProtoReflect()) {
		l.open = append(l.open, path)
		files, err := l.compile(slices.DeleteFunc(slices.Clone(d.GetDependency()), func(path string) bool {
			_, given := l.texts[path]
			return !given && !known(path)
		})...)
		l.open = l.open[:len(l.open)-1]
		if err != nil {
			return nil, err
		}
		if err := explain(d, path, data, files); err != nil {
			return nil, fmt.Errorf("%sread the options of the file descriptor: %w", prefix(path), err)
		}
	}
	return describe(d), nil
}

// explain reads a descriptor anew with the custom options that it and its imports declare.
func explain(d *descriptorpb.FileDescriptorProto, path string, data []byte, imports linker.Files) error {
	known := filesOf(imports...)
	d.Name = &path
	self, err := protodesc.FileOptions{AllowUnresolvable: true}.New(d, known)
	if err != nil {
		return err
	}
	if err := known.RegisterFile(self); err != nil {
		return err
	}
	return proto.UnmarshalOptions{Resolver: dynamicpb.NewTypes(known)}.Unmarshal(data, d)
}

func checkNesting(messages []*descriptorpb.DescriptorProto, left int) error {
	if left == 0 {
		return errors.New("message nesting depth must be less than 32")
	}
	for _, m := range messages {
		if err := checkNesting(m.GetNestedType(), left-1); err != nil {
			return err
		}
	}
	return nil
}

// unknownOptions tells whether a descriptor has fields that only its imports can explain.
func unknownOptions(m protoreflect.Message) (found bool) {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil {
			return true
		}
		if !fd.IsList() {
			found = unknownOptions(v.Message())
			return !found
		}
		for i := 0; i < v.List().Len() && !found; i++ {
			found = unknownOptions(v.List().Get(i).Message())
		}
		return !found
	})
	return found
}

// filesOf are files and all that they import.
func filesOf[F protoreflect.FileDescriptor](files ...F) *protoregistry.Files {
	all := &protoregistry.Files{}
	var add func(fd protoreflect.FileDescriptor)
	add = func(fd protoreflect.FileDescriptor) {
		if _, err := all.FindFileByPath(fd.Path()); err == nil {
			return
		}
		// Linking has seen to it that no name is declared twice.
		_ = all.RegisterFile(fd)
		for i := range fd.Imports().Len() {
			add(fd.Imports().Get(i))
		}
	}
	for _, f := range files {
		add(f)
	}
	return all
}

func parseText(path, text string) (tree *ast.FileNode, err error) {
	defer func() {
		if p := recover(); p != nil {
			tree, err = nil, fmt.Errorf("%sthe text can't be parsed: %v", prefix(path), p)
		}
	}()
	return parser.Parse(path, strings.NewReader(text), reporter.NewHandler(nil))
}

// place turns the linker's error into one for the author.
func (l *linking) place(err error) error {
	source := true
	if at, is := errors.AsType[reporter.ErrorWithPos](err); is {
		u := l.read[at.GetPosition().Filename]
		source = u == nil || u.source
	}
	return place(err, source)
}

// place says line and column, the file only where it is not the schema itself, and neither line nor
// column of a text that nobody wrote.
func place(err error, source bool) error {
	at, is := errors.AsType[reporter.ErrorWithPos](err)
	if !is {
		return err
	}
	pos := at.GetPosition()
	if !source {
		return fmt.Errorf("%s%w", prefix(pos.Filename), at.Unwrap())
	}
	return fmt.Errorf("%s%d:%d: %w", prefix(pos.Filename), pos.Line, pos.Col, at.Unwrap())
}

func prefix(path string) string {
	if path == rootPath {
		return ""
	}
	return path + ": "
}

// checkDepth refuses brackets within brackets without end before anything recursive sees them.
func checkDepth(text string) error {
	depth, line := 0, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\n':
			line++
		case '{', '[', '(', '<':
			if depth++; depth > maxDepth {
				return fmt.Errorf("line %d: more than %d brackets within each other", line, maxDepth)
			}
		case '}', ']', ')', '>':
			depth = max(0, depth-1)
		case '"', '\'':
			for i++; i < len(text) && text[i] != c && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '/':
			i = skipComment(text, i)
		}
	}
	return nil
}

// skipComment returns the last byte before what follows the comment at i, i itself without one.
func skipComment(text string, i int) int {
	rest := text[i:]
	switch {
	case strings.HasPrefix(rest, "//"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return i + n - 1
		}
		return len(text)
	case strings.HasPrefix(rest, "/*"):
		if n := strings.Index(rest[2:], "*/"); n >= 0 {
			return i + n + 3
		}
		return len(text)
	}
	return i
}
