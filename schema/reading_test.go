package schema_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema"
)

type shout string

func (s *shout) UnmarshalText(text []byte) error {
	*s = shout(strings.ToUpper(string(text)))
	return nil
}

type tree struct {
	N    int     `json:"n"`
	Left *tree   `json:"left"`
	More []*tree `json:"more"`
}

// readable has at least one member of each way that a reading has, and some that it leaves to others.
type readable struct {
	S     string            `json:"s"`
	Name  string            // no tag
	I     int               `json:"i"`
	I8    int8              `json:"i8"`
	I16   int16             `json:"i16"`
	I32   int32             `json:"i32"`
	U     uint64            `json:"u"`
	U8    uint8             `json:"u8"`
	U16   uint16            `json:"u16"`
	U32   uint32            `json:"u32"`
	B     bool              `json:"b"`
	F     float64           `json:"f"`
	G     float32           `json:"g"`
	T     time.Time         `json:"t"`
	TP    *time.Time        `json:"tp"`
	P     *inner            `json:"p"`
	PP    **string          `json:"pp"`
	L     []inner           `json:"l"`
	LL    [][]string        `json:"ll"`
	LP    []*int            `json:"lp"`
	Z     []struct{}        `json:"z"`
	A     [2]int            `json:"a"`
	Bytes []byte            `json:"bytes"`
	M     map[string]string `json:"m"`
	Any   any               `json:"any"`
	Raw   json.RawMessage   `json:"raw"`
	W     shout             `json:"w"`
	D     time.Duration     `json:"d"`
	E     embeds            `json:"e"`
	Deep  struct {
		X, Y int
		In   struct{ Z string }
	} `json:"deep"`
	Omit string `json:"-"`
	Q    struct {
		N int `json:"n,string"`
	} `json:"q"`
	hidden int
}

// sameRead holds a decoded value against what encoding/json makes of the same bytes.
func sameRead[T any](t *testing.T, data string) {
	t.Helper()
	var got, want T
	err, wantErr := schema.JSON.Decode([]byte(data), kind, &got), json.Unmarshal([]byte(data), &want)
	if err == nil && wantErr != nil && strings.Contains(wantErr.Error(), "parsing time") {
		return // the complete reader resolves escapes in times, which the standard library does not
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%T of %s: error %v, encoding/json says %v", got, data, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%T of %s:\n%s", got, data, cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })))
	}
}

var readDocuments = []string{
	`{}`, `null`, ` { } `, `[]`, `"x"`, `1`, ``, ` `, `{`, `{"s"`, `{"s":`, `{"s":"`, `{"s":"x`, `{"s":"x"`, `{"s":"x",`, `{"s":"x",}`, `{,}`, `{"s":"x"}}`, `{"s":"x"} x`, `{s:1}`,
	`{"s":"text","Name":"n","i":-12,"u":18446744073709551615,"b":true,"f":1.5e3,"g":-0.25}`,
	`{"s" : "a\"b\\c\/d\b\f\n\r\t\u00e4\u0000\u2028", "Name":"äöü€😀"}`, `{"s":"\ud83d\ude00"}`, `{"s":"\ud83d"}`, `{"s":"\ud83dx"}`, `{"s":"\u12"}`, `{"s":"\u+123"}`, `{"s":"\x"}`, `{"s":"\`, `{"s":"\"`, `{"s":"\u"}`,
	"{\"s\":\"\xff\"}", "{\"s\":\"a\x1fb\"}", "{\"s\":\"tab\tin\"}", "{\"s\":\"\x7f\"}", "{\"none\":\"\xff\"}", "{\"\xff\":1}", "{\"s\":\"12345678\x01\"}",
	`{"S":"case"}`, `{"NAME":"case"}`, `{"ſ":"long s"}`, `{"s":"one","s":"two"}`, `{"s":"one","S":"two"}`, `{"l":[{"a":"x","b":1}],"l":[{"a":"y"}]}`, `{"\u0073":"escaped name"}`, `{"none":{"deep":[1,{"x":[null,true,false,-1.5e-7,"\u0041"]}]},"i":1}`, `{"none":"\ud800","i":1}`,
	`{"i":0}`, `{"i":-0}`, `{"i":00}`, `{"i":01}`, `{"i":-}`, `{"i":- 1}`, `{"i":+1}`, `{"i":1.0}`, `{"i":1e3}`, `{"i":1E3}`, `{"i":9223372036854775807}`, `{"i":9223372036854775808}`, `{"i":-9223372036854775808}`, `{"i":-9223372036854775809}`, `{"i":"1"}`, `{"i":-null}`, `{"i":1x}`,
	`{"i8":127}`, `{"i8":128}`, `{"i8":-128}`, `{"i8":-129}`, `{"i16":32767}`, `{"i16":32768}`, `{"i32":-2147483648}`, `{"i32":2147483648}`, `{"u8":255}`, `{"u8":256}`, `{"u8":-1}`, `{"u8":-0}`, `{"u16":65535}`, `{"u16":65536}`, `{"u32":4294967295}`, `{"u32":4294967296}`, `{"u":18446744073709551616}`, `{"u":99999999999999999999}`,
	`{"f":1}`, `{"f":-0}`, `{"f":-null}`, `{"f":-}`, `{"f":.5}`, `{"f":5.}`, `{"f":1e}`, `{"f":1e+}`, `{"f":1e400}`, `{"f":1e-400}`, `{"f":0x10}`, `{"f":1_0}`, `{"f":Infinity}`, `{"f":NaN}`, `{"g":1e39}`, `{"g":16777217}`, `{"f":01}`,
	`{"b":false}`, `{"b":1}`, `{"b":"true"}`, `{"b":tru}`, `{"b":truex}`, `{"b":nul}`,
	`{"s":null,"i":null,"b":null,"f":null,"t":null,"tp":null,"p":null,"pp":null,"l":null,"a":null,"bytes":null,"m":null,"any":null,"raw":null,"w":null,"e":null,"deep":null,"u":null}`,
	`{"t":"2026-01-02T03:04:05.678Z","tp":"2026-01-02T03:04:05+07:00"}`, `{"t":"2026-01-02"}`, `{"t":1}`, `{"t":{}}`, `{"t":"2026-01-02T3:04:05Z"}`, `{"t":"2026-01-02T03:04:05,5Z"}`,
	`{"p":{"a":"x","b":2},"pp":"text"}`, `{"p":{},"pp":null}`, `{"p":[]}`,
	`{"l":[]}`, `{"l":[ ]}`, `{"l":[{}]}`, `{"l":[{"a":"1"},{"a":"2"},{"a":"3"},{"a":"4"},{"a":"5"},{"b":6},null,{"a":"8"},{"a":"9"}]}`, `{"l":[,]}`, `{"l":[{},]}`, `{"l":[{}{}]}`, `{"l":{}}`, `{"l":[1]}`,
	`{"ll":[["a","b"],[],null,["c"]]}`, `{"lp":[1,null,3]}`, `{"z":[{},{},{},{},{},{"x":1}]}`, `{"a":[1]}`, `{"a":[1,2,3]}`,
	`{"bytes":"AQID"}`, `{"bytes":"AQ\nID"}`, `{"bytes":"!"}`, `{"m":{"a":"b","c":"d"}}`, `{"m":{"a":1}}`, `{"any":{"x":[1,"y",null,{"z":1e2}]}}`, `{"raw": {"a" : [1, 2 ]} }`, `{"raw":01}`, `{"w":"loud"}`, `{"w":5}`, `{"d":1000}`,
	`{"e":{"a":"x","b":1,"C":2}}`, `{"deep":{"X":1,"y":2,"In":{"Z":"z"}}}`, `{"q":{"n":"5"}}`, `{"q":{"n":5}}`, `{"-":"x","Omit":"y","hidden":3}`,
	strings.Repeat(`{"deep":`, 300) + "1" + strings.Repeat("}", 300), `{"none":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, `{"none":` + strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000) + `}`,
	`{"s":"` + strings.Repeat("long ", 100) + `","Name":"` + strings.Repeat("ä", 100) + `"}`,
}

func TestTheQuickWayReadsAsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, d := range readDocuments {
		sameRead[readable](t, d)
		sameRead[order](t, d)
		sameRead[*readable](t, d)
		sameRead[tree](t, d)
		sameRead[map[string]any](t, d)
	}
	sameRead[tree](t, `{"n":1,"left":{"n":2},"more":[{"n":3,"more":[null]},null]}`)
	sameRead[shout](t, `"x"`)
	sameRead[struct {
		A int `json:"x"`
		B int `json:"X"`
	}](t, `{"x":1,"X":2}`)
	sameRead[struct{ N json.Number }](t, `{"N":1.50}`)
}

// What stands in the value already is merged with the data, as encoding/json does it.
func TestDecodeIntoAValueThatHoldsSomething(t *testing.T) {
	t.Parallel()
	full := func() *readable {
		return &readable{S: "old", I: 7, P: &inner{"old", 1}, L: []inner{{"old", 1}, {"old", 2}}, M: map[string]string{"old": "1"}, hidden: 1}
	}
	for _, d := range readDocuments {
		got, want := full(), full()
		err, wantErr := schema.JSON.Decode([]byte(d), kind, got), json.Unmarshal([]byte(d), want)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v (%v), want %+v (%v)", d, got, err, want, wantErr)
		}
	}
	if err := schema.JSON.Decode([]byte("{}"), kind, (*readable)(nil)); err == nil {
		t.Error("decoded into nothing")
	}
}

// Texts are copies: the record's bytes may be written over afterwards.
func TestDecodedTextsAreTheirOwn(t *testing.T) {
	t.Parallel()
	data := []byte(`{"s":"short","Name":"` + strings.Repeat("long", 30) + `"}`)
	var v readable
	if err := schema.JSON.Decode(data, kind, &v); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if v.S != "short" || v.Name != strings.Repeat("long", 30) {
		t.Errorf("%q, %q", v.S, v.Name)
	}
}

func FuzzTheQuickWay(f *testing.F) {
	for _, d := range readDocuments {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, data string) {
		sameRead[readable](t, data)
		sameRead[order](t, data)
	})
}
