package avro_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/schema/avro"
)

// Numeric is any of the numbers, in the order of the schema below.
type Numeric any

type numbers struct {
	List []Numeric `json:"list"`
}

func (numbers) Unions() []any {
	return []any{[]Numeric{int64(0), float64(0), float32(0), time.Time{}}}
}

// A number in a union keeps its size: a wider branch that comes first does not take it.
func TestNumbersInUnionsKeepTheirSize(t *testing.T) {
	t.Parallel()
	text := `{"type":"record","name":"numbers","fields":[{"name":"list","type":{"type":"array","items":["double",{"type":"int","logicalType":"date"},"long","float"]}}]}`
	v := numbers{List: []Numeric{int64(1), float32(1.5), float64(2.5), time.Unix(86400, 0).UTC()}}
	data := encode(t, writer(t, numbers{}, text), v)
	want := "\x08" + "\x04\x02" + "\x06\x00\x00\xc0\x3f" + "\x00\x00\x00\x00\x00\x00\x00\x04\x40" + "\x02\x02" + "\x00"
	if string(data) != want {
		t.Errorf("written as % x, want % x", data, want)
	}
	var got numbers
	if err := reader(t, numbers{}, text, text).Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	for i, x := range got.List {
		if x != v.List[i] {
			t.Errorf("%v (%T) is read back as %v (%T)", v.List[i], v.List[i], x, x)
		}
	}
}

// A float32 does not hold what a double may be, and is refused for one: readers and writers agree.
func TestAFloatIsNoDouble(t *testing.T) {
	t.Parallel()
	type reading struct {
		Value float32 `json:"value"`
	}
	s := parse(t, `{"type":"record","name":"reading","fields":[{"name":"value","type":"double"}]}`)
	typ := reflect.TypeFor[reading]()
	_, err := avro.Format.Writer(typ, s)
	_, err2 := avro.Format.Reader(typ, s, s, nil)
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "schema says double, Go says float32") {
			t.Error(err)
		}
	}
}
