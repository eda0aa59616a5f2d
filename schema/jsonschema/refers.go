package jsonschema

import "github.com/leatdev/leat/schema"

// Refers are the names of those imports that a $ref of the text itself leads to. name is what others
// call the text, "" where nobody refers to it.
func Refers(name, text string, imports []schema.Import) (names []string, err error) {
	root, err := read(text)
	if err != nil {
		return nil, err
	}
	to := map[string]bool{}
	at := resolve(home, name)
	root.refers(at, to)
	for _, i := range imports {
		if to[resolve(home, i.Name)] || to[resolve(at, i.Name)] || to[resolve(base(at, root), i.Name)] {
			names = append(names, i.Name)
		}
	}
	return names, nil
}

// refers puts what the references of a text lead to, without fragments, into a set.
func (n *node) refers(at string, to map[string]bool) {
	at = base(at, n)
	for _, keyword := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		if ref, ok := n.str(keyword); ok {
			to[resolve(at, ref)] = true
		}
	}
	for _, m := range n.members {
		m.value.refers(at, to)
	}
	for _, item := range n.items {
		item.refers(at, to)
	}
}
