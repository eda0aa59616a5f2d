package avro_test

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema/avro"
)

//go:embed testdata/requirements.txt
var requirements []byte

// What Python's fastavro reads is what was written, and it writes the same bytes of it.
func TestFastavroReadsTheSame(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Python: not in short runs")
	}
	python, err := server.Python(t.Context(), "fastavro", requirements)
	if err != nil {
		leattest.Missing(t, "python", err.Error())
	}
	type check struct {
		Schema json.RawMessage `json:"schema"`
		Data   string          `json:"data"`
		Doc    json.RawMessage `json:"doc"`
	}
	var in bytes.Buffer
	var want []string
	add := func(v any, text string) {
		data := encode(t, writer(t, v, text), v)
		doc, err := avro.Format.ToJSON(parse(t, text), nil, data)
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(check{json.RawMessage(text), hex.EncodeToString(data), doc})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
		want = append(want, hex.EncodeToString(data))
	}
	full := fullEvent()
	full.Lines[1].SKU = "\u00e4" // Python has no strings of other bytes
	full.Meta.Tags = map[string]string{"a": "1"}
	full.Tree.By = map[string]*Node{"b": {Name: "b"}}
	add(full, derivedEvent(t))
	full.Payment = &Transfer{"DE02"}
	add(full, derivedEvent(t))
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		typ := randomStruct(r, 3)
		text := derive(t, typ)
		for range 4 {
			v := reflect.New(typ)
			fill(r, v.Elem(), 4)
			add(v.Interface(), text)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/fastavro_check.py")
	cmd.Stdin = &in
	var said bytes.Buffer
	cmd.Stderr = &said
	cases := strings.Split(in.String(), "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.Bytes())
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d answers to %d questions", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s\nwant %s\n%s", got[i], want[i], cases[i])
		}
	}
}
