package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"testing"

	"github.com/leatdev/leat/schema"
)

// question is what a peer is asked: to write Value to Topic with its own Schema, to read Data, or to
// judge whether Schema may follow Value.
type question struct {
	Do     string      `json:"do"`            // "write", "read" or "judge"
	Via    string      `json:"via,omitempty"` // of a peer that uses several: which
	Type   schema.Type `json:"type"`
	Topic  string      `json:"topic"`
	Schema string      `json:"schema,omitempty"` // the peer's own; "" to read: the writer's

	Files   [][]byte `json:"files,omitempty"`   // of a Protobuf message: descriptors, each after its imports
	Message string   `json:"message,omitempty"` // its full name

	Key    bool `json:"key,omitempty"`    // it is a key, not a value
	Header bool `json:"header,omitempty"` // the schema goes into a header
	Found  bool `json:"found,omitempty"`  // the schema is registered under the record's subject of the topic
	Value  any  `json:"value,omitempty"`
	record
}

// record is what would lie in Kafka.
type record struct {
	Data     []byte `json:"data,omitempty"`
	SchemaID []byte `json:"schema_id,omitempty"` // header __value_schema_id, or __key_schema_id
}

// answer is a peer's.
type answer struct {
	record
	Value any    `json:"value"`
	Error string `json:"error"`
}

// peer is a program that uses another implementation.
type peer struct {
	via     string
	mu      sync.Mutex // held for a question and its answer
	in      io.Writer
	out     *bufio.Reader
	program *exec.Cmd
	said    bytes.Buffer
}

// start runs the program with the test.
func start(t *testing.T, argv ...string) *peer {
	t.Helper()
	p := &peer{program: exec.CommandContext(t.Context(), argv[0], argv[1:]...)}
	p.program.Stderr = &p.said
	in, err := p.program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = p.program.Wait() // killed by the test's context at the latest
		if t.Failed() {
			t.Logf("%s said:\n%s", argv[0], p.said.Bytes())
		}
	})
	p.in, p.out = in, bufio.NewReader(out)
	return p
}

// try asks and returns what the peer says, also that it can't.
func (p *peer) try(t *testing.T, q question) answer {
	t.Helper()
	q.Via = p.via
	line, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("ask: %v", err)
	}
	reply, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("hear the answer to %s: %v", line, err)
	}
	var a answer
	d := json.NewDecoder(bytes.NewReader(reply))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	return a
}

func (p *peer) ask(t *testing.T, q question) answer {
	t.Helper()
	a := p.try(t, q)
	if a.Error != "" {
		t.Fatalf("%s %s on %s: %s", q.Do, q.Type, q.Topic, a.Error)
	}
	return a
}

// document is a JSON text as the peers' answers are read.
func document(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
