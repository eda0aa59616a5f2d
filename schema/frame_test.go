package schema

import (
	"bytes"
	"slices"
	"testing"
)

func TestPrefixFormIsConfluents(t *testing.T) {
	t.Parallel()
	data := AppendPrefix(nil, 0x01020304)
	if want := []byte{0, 1, 2, 3, 4}; !bytes.Equal(data, want) {
		t.Fatalf("prefix: got %v, want %v", data, want)
	}
	f, head, body, err := ReadFrame(nil, append(data, 'x'))
	if err != nil || f.ID != 0x01020304 || f.Header || head != nil || string(body) != "x" {
		t.Fatalf("got %+v %v %q %v", f, head, body, err)
	}
}

func TestHeaderFormIsConfluents(t *testing.T) {
	t.Parallel()
	guid, err := ParseGUID("b5a8a4b7-6d4b-4a0e-8f00-0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	if got := guid.String(); got != "b5a8a4b7-6d4b-4a0e-8f00-0123456789ab" {
		t.Fatalf("got %s", got)
	}
	header := AppendHeader(nil, guid, []int{1, 0})
	f, head, body, err := ReadFrame(header, []byte("x"))
	if err != nil || !f.Header || f.GUID != guid || string(body) != "x" {
		t.Fatalf("got %+v %q %v", f, body, err)
	}
	index, rest, err := SplitIndex(head)
	if err != nil || !slices.Equal(index, []int{1, 0}) || len(rest) != 0 {
		t.Fatalf("got %v %v %v", index, rest, err)
	}
}

func TestIndexesAreZigzagVarints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		index []int
		wire  []byte
	}{
		{[]int{0}, []byte{0}},
		{[]int{1}, []byte{2, 2}},
		{[]int{1, 0}, []byte{4, 2, 0}},
		{[]int{100, 3}, []byte{4, 0xc8, 1, 6}},
	} {
		if got := AppendIndex(nil, c.index); !bytes.Equal(got, c.wire) {
			t.Errorf("%v: got %v, want %v", c.index, got, c.wire)
		}
		index, rest, err := SplitIndex(append(slices.Clone(c.wire), 'x'))
		if err != nil || !slices.Equal(index, c.index) || string(rest) != "x" {
			t.Errorf("%v: read back %v %q %v", c.wire, index, rest, err)
		}
	}
}

func TestMalformedFramesAreErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ header, data []byte }{
		"nothing":       {nil, nil},
		"json":          {nil, []byte(`{"a":1}`)},
		"short":         {nil, []byte{0, 0, 0, 1}},
		"negative id":   {nil, []byte{0, 0xff, 0, 0, 0, 1}},
		"empty header":  {[]byte{}, []byte("x")},
		"wrong magic":   {bytes.Repeat([]byte{2}, 17), []byte("x")},
		"cut-off GUID":  {bytes.Repeat([]byte{1}, 16), []byte("x")},
		"header, no id": {[]byte{0, 0, 0, 0, 1}, []byte("x")},
	} {
		if f, _, _, err := ReadFrame(c.header, c.data); err == nil {
			t.Errorf("%s: got %v, want an error", name, f)
		}
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "cut off": {4, 2}, "negative count": {1}, "negative index": {2, 1},
		"too deep": {0xff, 0xff, 3}, "endless": bytes.Repeat([]byte{0xff}, 11),
	} {
		if index, _, err := SplitIndex(data); err == nil {
			t.Errorf("%s: got %v, want an error", name, index)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte(nil), []byte{0, 0, 0, 0, 1, 0, 'x'})
	f.Add(bytes.Repeat([]byte{1}, 19), []byte("x"))
	f.Fuzz(func(t *testing.T, header, data []byte) {
		if len(header) == 0 {
			header = nil
		}
		frame, head, body, err := ReadFrame(header, data)
		if err != nil {
			return
		}
		var again []byte
		if frame.Header {
			again = append(AppendHeader(nil, frame.GUID, nil), head...)
			if !bytes.Equal(again, header) || !bytes.Equal(body, data) {
				t.Fatalf("header %v: written again as %v", header, again)
			}
		} else if again = append(AppendPrefix(nil, frame.ID), body...); !bytes.Equal(again, data) {
			t.Fatalf("%v: written again as %v", data, again)
		}
		if _, rest, err := SplitIndex(body); err == nil && len(rest) >= len(body) {
			t.Fatal("an index of no bytes")
		}
	})
}
