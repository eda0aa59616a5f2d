package demo

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/leatdev/leat"
)

// journalName is the journal's file in the directory.
const journalName = "demo.journal"

// journalHead is the first line: what must not change from run to run.
type journalHead struct {
	Version int    `json:"leat_demo"`
	ID      string `json:"id"` // of this demo, part of its idempotency keys
	Seed    uint64 `json:"seed"`
	Prefix  string `json:"prefix,omitempty"`
}

// journalLine is a further line: what will be done, or that it was done.
type journalLine struct {
	Do      *int    `json:"do,omitempty"` // the order's number
	Trouble trouble `json:"trouble,omitempty"`

	Did   *int   `json:"did,omitempty"`
	Order string `json:"order,omitempty"` // the id that the shop gave it
}

// deed is an order of the journal.
type deed struct {
	trouble trouble
	order   string // "": not known to be done
}

// journal is what the generator has begun, and of that what it knows to be done. A line stands on
// the disk before its deed begins. That a deed is done is written without waiting for the disk: who
// does not know does it again, and that changes nothing.
type journal struct {
	head journalHead

	mu    sync.Mutex
	file  *os.File
	deeds []deed
}

// openJournal reads a directory's journal or begins one. A last line that was cut off by a kill is
// dropped: its deed never began.
func openJournal(dir string, head journalHead) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j := &journal{file: f, head: head}
	whole, err := j.read()
	if err == nil && whole == 0 {
		err = j.begin()
	} else if err == nil {
		err = errors.Join(f.Truncate(whole), seek(f, whole))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the journal %s: %w", f.Name(), err), f.Close())
	}
	return j, nil
}

func seek(f *os.File, at int64) error {
	_, err := f.Seek(at, io.SeekStart)
	return err
}

// read takes in what is there and returns how many bytes of it are whole lines.
func (j *journal) read() (whole int64, err error) {
	r := bufio.NewReader(j.file)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return 0, err
		}
		if whole == 0 {
			err = json.Unmarshal(line, &j.head)
		} else {
			err = j.take(line)
		}
		if err != nil {
			return 0, fmt.Errorf("line %q: %w", bytes.TrimSpace(line), err)
		}
		whole += int64(len(line))
	}
}

func (j *journal) take(line []byte) error {
	var l journalLine
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	switch {
	case l.Do != nil && *l.Do == len(j.deeds):
		j.deeds = append(j.deeds, deed{trouble: l.Trouble})
	case l.Did != nil && *l.Did >= 0 && *l.Did < len(j.deeds):
		j.deeds[*l.Did].order = l.Order
	default:
		return errors.New("it is out of place")
	}
	return nil
}

func (j *journal) begin() error {
	if j.head.ID == "" {
		j.head.ID = leat.NewID()[24:] // the random end
	}
	j.head.Version = 1
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	if err := seek(j.file, 0); err != nil {
		return err
	}
	return errors.Join(j.write(j.head), j.file.Sync())
}

func (j *journal) write(lines ...any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return fmt.Errorf("encode a journal line: %w", err)
		}
	}
	if _, err := j.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// will writes down, on the disk, that the next orders will be placed with their trouble. It returns
// the number of the first.
func (j *journal) will(next []trouble) (first int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first = len(j.deeds)
	lines := make([]any, len(next))
	for i, t := range next {
		n := first + i
		lines[i] = journalLine{Do: &n, Trouble: t}
	}
	if err := j.write(lines...); err != nil {
		return 0, err
	}
	if err := j.file.Sync(); err != nil {
		return 0, fmt.Errorf("sync the journal: %w", err)
	}
	for _, t := range next {
		j.deeds = append(j.deeds, deed{trouble: t})
	}
	return first, nil
}

// did writes down that order n was placed, and its trouble made.
func (j *journal) did(n int, order string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.deeds[n].order = order
	return j.write(journalLine{Did: &n, Order: order})
}

// all is a copy of what was begun, by number.
func (j *journal) all() []deed {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]deed(nil), j.deeds...)
}

// key is the idempotency key of order n.
func (j *journal) key(n int) string { return fmt.Sprintf("demo-%s-%d", j.head.ID, n) }

func (j *journal) close() error {
	return errors.Join(j.file.Sync(), j.file.Close())
}

// newPrefix keeps the topics and groups of one directory apart from what else is on a cluster.
func newPrefix() string { return "demo-" + strings.ToLower(rand.Text()[:6]) + "." }
