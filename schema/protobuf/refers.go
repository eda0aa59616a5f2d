package protobuf

import "slices"

// Imports are the paths that a text imports itself, without those that every registry knows. The text
// is not linked, so that none of them has to be at hand.
func Imports(text string) ([]string, error) {
	u, err := (&linking{read: map[string]*unit{}}).readText(rootPath, text)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Concat(u.file.imports, u.file.publics), known), nil
}
