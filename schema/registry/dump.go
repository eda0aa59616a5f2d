package registry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ReadAll are all records of a log.
func ReadAll(ctx context.Context, log Log) (all []Entry, err error) {
	end, err := log.End(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	reached := end == 0
	if reached {
		return nil, nil
	}
	err = log.Follow(ctx, func(entries []Entry, next int64) {
		if reached {
			return
		}
		all = append(all, entries...)
		if reached = next >= end; reached {
			stop()
		}
	})
	if err == nil && !reached {
		err = context.Cause(ctx)
	}
	return all, err
}

// dumped is a record as a line of JSON. What is no text is in base64.
type dumped struct {
	Key     *string `json:"key,omitempty"`
	Value   *string `json:"value,omitempty"`
	Key64   []byte  `json:"key_base64,omitempty"`
	Value64 []byte  `json:"value_base64,omitempty"`
	Time    int64   `json:"time,omitempty"`
}

// Export writes all records of a log, a line of JSON each. A line without a value is a tombstone.
func Export(ctx context.Context, log Log, w io.Writer) (n int, err error) {
	all, err := ReadAll(ctx, log)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, e := range all {
		d := dumped{Time: e.Time}
		d.Key, d.Key64 = dump(e.Key)
		d.Value, d.Value64 = dump(e.Value)
		if err := enc.Encode(d); err != nil {
			return 0, fmt.Errorf("export: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	return len(all), nil
}

func dump(raw []byte) (*string, []byte) {
	if raw == nil {
		return nil, nil
	}
	if !utf8.Valid(raw) {
		return nil, raw
	}
	s := string(raw)
	return &s, nil
}

// ErrNotEmpty says that an import would mix two registries.
var ErrNotEmpty = errors.New("the log has records already: ids of two registries would meet")

// importBatch bounds what one append of an import holds, in records and bytes.
const importBatch, importBytes = 500, 8 << 20

// ImportFrom appends what Export wrote to an empty log. A line that can't be read ends it before
// anything is written; an error of the log may leave the first records in it.
func ImportFrom(ctx context.Context, log Log, r io.Reader) (n int, err error) {
	end, err := log.End(ctx)
	if err != nil {
		return 0, fmt.Errorf("import: %w", err)
	}
	if end != 0 {
		return 0, fmt.Errorf("import: %w", ErrNotEmpty)
	}
	records, err := readDump(r)
	if err != nil {
		return 0, fmt.Errorf("import: %w", err)
	}
	for left := records; len(left) > 0; {
		count, size := 0, 0
		for count < len(left) && count < importBatch && size < importBytes {
			size += len(left[count].Key) + len(left[count].Value)
			count++
		}
		if end, err = log.Append(ctx, end, left[:count]); err != nil {
			return n, fmt.Errorf("import, after %d records: %w", n, err)
		}
		n, left = n+count, left[count:]
	}
	return n, nil
}

func readDump(r io.Reader) (records []Record, err error) {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			var d dumped
			if err := json.Unmarshal(text, &d); err != nil {
				return nil, fmt.Errorf("line %d is no record: %w", n, err)
			}
			record := Record{Key: undump(d.Key, d.Key64), Value: undump(d.Value, d.Value64), Time: d.Time}
			if record.Key == nil {
				record.Key = []byte{}
			}
			records = append(records, record)
		}
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func undump(text *string, raw []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return raw
}
