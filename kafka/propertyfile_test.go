package kafka_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/kafka"
)

func TestParsePropertyFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want map[string]string
		err  string
	}{
		"separators": {"a=1\nb: 2\nc 3\nd\t=\t4\ne\nf =\n", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "", "f": ""}, ""},
		"comments":   {"# a=1\n  ! b=2\n\n   \nc=#3\n", map[string]string{"c": "#3"}, ""},
		"blanks":     {"  a = 1 2 \n", map[string]string{"a": "1 2 "}, ""},
		"continued":  {"a=1,\\\n   2,\\\r\n\t3\nb=\\\\\nc=x\\", map[string]string{"a": "1,2,3", "b": `\`, "c": "x"}, ""},
		"escapes":    {`a\=b\:c\ d = \t\n\"\u00e4\uD83D\uDE00\x`, map[string]string{"a=b:c d": "\t\n\"\u00e4\U0001F600x"}, ""},
		"only first": {"a=b=c:d e\n", map[string]string{"a": "b=c:d e"}, ""},
		"mac lines":  {"a=1\rb=2", map[string]string{"a": "1", "b": "2"}, ""},
		"bom, utf-8": {"\ufeffa=\u00e4", map[string]string{"a": "\u00e4"}, ""},
		"twice":      {"a=1\nb=2\na=3", nil, "line 3: property a stands here a second time"},
		"broken u":   {"x=1\na=\\u12", nil, `line 2, property a: \u needs four hexadecimal digits`},
		"half":       {`a=\uD83Dx`, nil, "line 1, property a: half a character"},
		"no utf-8":   {"a=\xff", nil, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := kafka.ParsePropertyFile([]byte(c.in))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// What is parsed can be written in the plainest form and read back as the same.
func FuzzPropertyFile(f *testing.F) {
	f.Add("a=1\nb: 2\nc 3\n# x\nd=\\u00e4\\\n  e")
	f.Add("a\\=b = \\uD83D\\uDE00\\")
	f.Fuzz(func(t *testing.T, in string) {
		props, err := kafka.ParsePropertyFile([]byte(in))
		if err != nil {
			return
		}
		var out strings.Builder
		esc := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`, " ", `\ `, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`, "\ufeff", `\uFEFF`)
		for name, value := range props {
			out.WriteString(esc.Replace(name) + "=" + esc.Replace(value) + "\n")
		}
		again, err := kafka.ParsePropertyFile([]byte(out.String()))
		if err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		if diff := cmp.Diff(props, again); diff != "" {
			t.Fatalf("%q\n%s", out.String(), diff)
		}
	})
}
