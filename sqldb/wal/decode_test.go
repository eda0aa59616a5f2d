package wal_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/sqldb/wal"
)

var update = flag.Bool("update", false, "record testdata anew from the server of LEAT_TEST_POSTGRES")

const recorded = "testdata/postgres15.txt"

// describe is a change as a line.
func describe(c *wal.Change) string {
	switch c.Kind {
	case wal.Begin:
		return fmt.Sprintf("begin %d at %v, commit at %v", c.XID, c.Time.Format("2006-01-02"), c.LSN)
	case wal.Commit:
		return fmt.Sprintf("commit at %v, end %v", c.LSN, c.End)
	case wal.Relation:
		return fmt.Sprintf("table %s.%s %v", c.Table.Schema, c.Table.Name, c.Table.Columns)
	case wal.Message:
		return fmt.Sprintf("message %q %q, transactional: %v", c.Prefix, c.Content, c.Transactional)
	case wal.Insert:
		var row []string
		for _, v := range c.Row {
			row = append(row, fmt.Sprintf("%c:%x", v.Format, v.Data))
		}
		return fmt.Sprintf("insert into %s: %s", c.Table.Name, strings.Join(row, " "))
	}
	return "other"
}

// Messages that a real server sent decode as they did when they were recorded.
func TestRecordedMessagesDecode(t *testing.T) {
	t.Parallel()
	lines := readRecorded(t)
	if len(lines) < 10 {
		t.Fatalf("%d messages are recorded", len(lines))
	}
	var d wal.Decoder
	var c wal.Change
	seen := map[wal.Kind]bool{}
	for _, l := range lines {
		if err := d.Decode(l.message, &c); err != nil {
			t.Fatalf("%x: %v", l.message, err)
		}
		seen[c.Kind] = true
		if diff := cmp.Diff(l.text, describe(&c)); diff != "" {
			t.Error(diff)
		}
	}
	for k := wal.Other; k <= wal.Relation; k++ {
		if !seen[k] {
			t.Errorf("no message of kind %d is recorded", k)
		}
	}
}

type line struct {
	message []byte
	text    string
}

func readRecorded(t testing.TB) (lines []line) {
	t.Helper()
	f, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		code, text, _ := strings.Cut(in.Text(), " ")
		message, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line{message, text})
	}
	return lines
}

// A message that is cut off anywhere, or has something behind its end, is refused.
func TestAMessageThatIsCutOffIsRefused(t *testing.T) {
	t.Parallel()
	var whole wal.Decoder
	var c wal.Change
	for _, l := range readRecorded(t) {
		if err := whole.Decode(l.message, &c); err != nil {
			t.Fatal(err)
		}
		if c.Kind == wal.Other {
			continue
		}
		for n := range len(l.message) {
			if err := whole.Decode(l.message[:n], &c); !errors.Is(err, wal.ErrMalformed) {
				t.Errorf("%d bytes of %s: %v", n, l.text, err)
			}
		}
		if err := whole.Decode(append(l.message[:len(l.message):len(l.message)], 0), &c); !errors.Is(err, wal.ErrMalformed) {
			t.Errorf("a byte behind %s: %v", l.text, err)
		}
		if err := whole.Decode(l.message, &c); err != nil { // a table that was cut off is not remembered
			t.Fatal(err)
		}
	}
}

// Whatever bytes come: no panic, and no value that is not in them.
func FuzzDecode(f *testing.F) {
	lines := readRecorded(f)
	for _, l := range lines {
		f.Add(l.message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var d wal.Decoder
		var c wal.Change
		for _, l := range lines {
			if err := d.Decode(l.message, &c); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Decode(message, &c); err != nil {
			return
		}
		size := len(c.Content) + len(c.Prefix)
		for _, v := range c.Row {
			size += len(v.Data)
			_, _ = v.Int()
			_, _ = v.Bool()
			_, _ = v.Bytes()
		}
		if size > len(message) {
			t.Errorf("%d bytes out of %d", size, len(message))
		}
	})
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value wal.Value
		want  string
	}{
		{wal.Value{Format: 't', Data: []byte("-42")}, "-42 <nil>; - -; - -"},
		{wal.Value{Format: 'b', Data: []byte{0xff, 0xff, 0xff, 0xfe}}, "-2 <nil>; - -; fffffffe <nil>"},
		{wal.Value{Format: 'b', Data: []byte{1}}, "- -; true <nil>; 01 <nil>"},
		{wal.Value{Format: 't', Data: []byte("f")}, "- -; false <nil>; - -"},
		{wal.Value{Format: 't', Data: []byte(`\x00ff`)}, "- -; - -; 00ff <nil>"},
		{wal.Value{Format: 't', Data: []byte(`\x0`)}, "- -; - -; - -"},
		{wal.Value{Format: 'n'}, "- -; - -; null <nil>"},
		{wal.Value{Format: 'b'}, "- -; - -;  <nil>"},
	} {
		n, err1 := c.value.Int()
		b, err2 := c.value.Bool()
		data, err3 := c.value.Bytes()
		or := func(v any, err error) string {
			if err != nil {
				return "- -"
			}
			return fmt.Sprint(v, " ", err)
		}
		text := fmt.Sprintf("%x", data)
		if data == nil {
			text = "null"
		}
		got := or(n, err1) + "; " + or(b, err2) + "; " + or(text, err3)
		if got != c.want {
			t.Errorf("%c %x: got %s, want %s", c.value.Format, c.value.Data, got, c.want)
		}
	}
}

func TestLSN(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"} {
		l, err := wal.ParseLSN(text)
		if err != nil || l.String() != text {
			t.Errorf("%s: got %v, %v", text, l, err)
		}
	}
	for _, text := range []string{"", "1", "/", "1/", "1/G", "123456789/0", "-1/0"} {
		if l, err := wal.ParseLSN(text); err == nil {
			t.Errorf("%q: got %v", text, l)
		}
	}
}
