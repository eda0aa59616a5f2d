package protobuf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/ast"
)

// Registries take a file whose imports are not all registered, as long as no type of them is needed:
// those that declare options for code generators are often left out. Such a file is linked without
// these imports and without custom options; its text keeps both.

// missing are the imports of a file that nobody provides.
func (l *linking) missing(f *file) []string {
	return slices.DeleteFunc(slices.Concat(f.imports, f.publics), func(path string) bool {
		_, given := l.texts[path]
		return given || known(path)
	})
}

// prune takes the imports that are missing and the custom options out of what is linked.
func prune(tree *ast.FileNode, missing []string) {
	tree.Decls = slices.DeleteFunc(tree.Decls, func(n ast.FileElement) bool {
		i, is := n.(*ast.ImportNode)
		return is && slices.Contains(missing, i.Name.AsString()) || custom(n)
	})
	_ = ast.Walk(tree, &ast.SimpleVisitor{ // the visits below return no errors
		DoVisitMessageNode: func(n *ast.MessageNode) error { n.Decls = without(n.Decls); return nil },
		DoVisitGroupNode:   func(n *ast.GroupNode) error { n.Decls = without(n.Decls); return nil },
		DoVisitOneofNode:   func(n *ast.OneofNode) error { n.Decls = without(n.Decls); return nil },
		DoVisitEnumNode:    func(n *ast.EnumNode) error { n.Decls = without(n.Decls); return nil },
		DoVisitServiceNode: func(n *ast.ServiceNode) error { n.Decls = without(n.Decls); return nil },
		DoVisitRPCNode:     func(n *ast.RPCNode) error { n.Decls = without(n.Decls); return nil },
		DoVisitCompactOptionsNode: func(n *ast.CompactOptionsNode) error {
			n.Options = without(n.Options)
			return nil
		},
	})
}

func without[N ast.Node](nodes []N) []N {
	return slices.DeleteFunc(nodes, func(n N) bool { return custom(n) })
}

func custom(n ast.Node) bool {
	o, is := n.(*ast.OptionNode)
	return is && o.Name.Parts[0].IsExtension()
}

// hint names the missing imports to whom a type is missing.
func (l *linking) hint(err error) error {
	var all []string
	for _, u := range l.read {
		all = append(all, u.missing...)
	}
	if len(all) == 0 {
		return err
	}
	return fmt.Errorf("%w; not among the references are: %s. Register them and name them there", err, strings.Join(sorted(all), ", "))
}
