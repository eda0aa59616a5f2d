package avro

import (
	"strings"

	"github.com/leatdev/leat/schema"
)

// Refers are the names of those imports that define a type which the text itself uses and does not
// define.
func Refers(text string, imports []schema.Import) (names []string, err error) {
	p, err := alone(text)
	if err != nil {
		return nil, err
	}
	for _, i := range imports {
		other, err := alone(i.Text)
		if err != nil {
			continue // told where it is read
		}
		for _, want := range p.foreign {
			full, plain := want[0], want[1]
			if p.types[full] == nil && p.types[plain] == nil && (other.types[full] != nil || other.types[plain] != nil) {
				names = append(names, i.Name)
				break
			}
		}
	}
	return names, nil
}

// alone reads a text without those that it refers to.
func alone(text string) (*parser, error) {
	v, err := readValue(strings.TrimPrefix(text, "\ufeff"))
	if err != nil {
		return nil, err
	}
	p := &parser{types: map[string]*node{}}
	_, err = p.parse(v, "")
	return p, err
}
