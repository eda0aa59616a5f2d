package avro

import (
	"fmt"
	"reflect"
	"unsafe"
)

// maxGrow is how many items room is made for at once: the number comes from outside.
const maxGrow = 1024

func listDecoder(elem decodeFunc, t reflect.Type, least int) decodeFunc {
	stride := t.Elem().Size()
	return func(d *decoder, p unsafe.Pointer) error {
		head := (*sliceHead)(p)
		for {
			n, err := d.block(least)
			if err != nil || n == 0 {
				return err
			}
			for n > 0 {
				from, more := head.len, min(n, maxGrow)
				v := reflect.NewAt(t, p).Elem()
				v.Grow(more)
				v.SetLen(from + more)
				for i := from; i < from+more; i++ {
					if err := elem(d, unsafe.Add(head.data, uintptr(i)*stride)); err != nil {
						return at(fmt.Sprintf("[%d]", i), err)
					}
				}
				n -= more
			}
		}
	}
}

func decodeStringMap(d *decoder, p unsafe.Pointer) error {
	var m map[string]string
	for {
		n, err := d.block(2)
		if err != nil {
			return err
		}
		if m == nil {
			m = make(map[string]string, min(n, maxGrow))
			*(*map[string]string)(p) = m
		}
		if n == 0 {
			return nil
		}
		for range n {
			key, err := d.string()
			if err != nil {
				return err
			}
			if m[key], err = d.string(); err != nil {
				return at(fmt.Sprintf("{%.40q}", key), err)
			}
		}
	}
}

func mapDecoder(t reflect.Type, elem decodeFunc, least int) decodeFunc {
	return func(d *decoder, p unsafe.Pointer) error {
		v := reflect.NewAt(t, p).Elem()
		v.Set(reflect.MakeMap(t))
		var key, item reflect.Value
		for {
			n, err := d.block(1 + least)
			if err != nil || n == 0 {
				return err
			}
			if !item.IsValid() {
				key, item = reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			}
			for range n {
				text, err := d.string()
				if err != nil {
					return err
				}
				key.SetString(text)
				item.SetZero()
				if err := elem(d, item.Addr().UnsafePointer()); err != nil {
					return at(fmt.Sprintf("{%.40q}", text), err)
				}
				v.SetMapIndex(key, item)
			}
		}
	}
}

// arrayDecoder reads a list into a Go array, which must be as long.
func arrayDecoder(elem decodeFunc, t reflect.Type, least int) decodeFunc {
	stride := t.Elem().Size()
	return func(d *decoder, p unsafe.Pointer) error {
		for i := 0; ; {
			n, err := d.block(least)
			if err != nil {
				return err
			}
			if n == 0 && i == t.Len() {
				return nil
			}
			if n == 0 || n > t.Len()-i {
				return fmt.Errorf("%d items for %s", i+n, t)
			}
			for range n {
				if err := elem(d, unsafe.Add(p, uintptr(i)*stride)); err != nil {
					return at(fmt.Sprintf("[%d]", i), err)
				}
				i++
			}
		}
	}
}
