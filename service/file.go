package service

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settingsFile is what a YAML file says: settings by their dotted names, properties below
// kafka.properties.
type settingsFile struct {
	values, properties map[string]fileEntry
}

type fileEntry struct{ text, origin string }

const fileProperties = "kafka.properties"

// readFile reads the file at path; "" reads nothing. Names that are none of known are refused with
// their line.
func readFile(path string, known []string) (settingsFile, error) {
	f := settingsFile{map[string]fileEntry{}, map[string]fileEntry{}}
	if path == "" {
		return f, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return f, fmt.Errorf("read the settings file (--config, LEAT_CONFIG): %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return f, fmt.Errorf("read the settings file %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return f, nil // empty
	}
	r := fileReader{path: path, known: known, out: f}
	r.walk("", doc.Content[0])
	return f, errors.Join(r.errs...)
}

type fileReader struct {
	path  string
	known []string
	out   settingsFile
	errs  []error
}

func (r *fileReader) fault(n *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s", r.path, n.Line, fmt.Sprintf(format, args...)))
}

func (r *fileReader) walk(name string, n *yaml.Node) {
	entry := fileEntry{origin: fmt.Sprintf("file %s:%d", r.path, n.Line)}
	property, isProperty := strings.CutPrefix(name, fileProperties+".")
	isSetting := slices.Contains(r.known, name)
	switch {
	case n.Kind == yaml.MappingNode && !isSetting && (!isProperty || name == fileProperties):
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if name != "" {
				key = name + "." + key
			}
			r.walk(key, n.Content[i+1])
		}
	case isProperty && n.Kind == yaml.ScalarNode:
		entry.text = n.Value
		r.out.properties[property] = entry
	case isSetting && n.Kind == yaml.ScalarNode:
		entry.text = n.Value
		r.out.values[name] = entry
	case isSetting && n.Kind == yaml.SequenceNode:
		var all []string
		for _, c := range n.Content {
			all = append(all, c.Value)
		}
		entry.text = strings.Join(all, ",")
		r.out.values[name] = entry
	case name == "":
		r.fault(n, "settings are names with values, such as listen: 127.0.0.1:8080")
	default:
		r.fault(n, "%s is no setting; known are %s and %s", name, strings.Join(r.known, ", "), fileProperties)
	}
}
