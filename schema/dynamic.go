package schema

import (
	"fmt"
	"reflect"

	"github.com/leatdev/leat"
)

// isDynamic says whether values of t bring their schema of the format's language with them.
func isDynamic(f Format, t reflect.Type) bool {
	d, ok := f.(Dynamic)
	return ok && d.IsDynamic(t)
}

// framedOnly refuses data without a frame for a Go type that nothing but a frame can tell the schema of.
func (c *Codec) framedOnly(t reflect.Type) error {
	for _, d := range c.dynamic {
		if d.IsDynamic(t) {
			return fmt.Errorf("the data names no schema, and %v has none of its own: only data that is framed by a schema can be read as one", t)
		}
	}
	return nil
}

// maxDynamic bounds the writers for schemas that values bring: a program that makes its descriptors anew
// for each value would fill the memory with them.
const maxDynamic = 256

// keepDynamic keeps the writer, in place of all those before it where they are too many; c.learn is held.
func (c *Codec) keepDynamic(key writerKey, w *writer) {
	if c.dynamicWriters++; c.dynamicWriters > maxDynamic {
		c.writers.Range(func(k, _ any) bool {
			if k.(writerKey).schema != nil {
				c.writers.Delete(k)
			}
			return true
		})
		c.dynamicWriters = 1
	}
	c.writers.Store(key, w)
}

// described is the contract of a kind whose values bring their schemas, nil where there is none before
// the first of them.
func (c *Codec) described(f Format, k *leat.Kind) (*Contract, error) {
	if k.Schema == "" {
		return nil, nil
	}
	own, _, err := c.contract(f, k, k.Go)
	return own, err
}
