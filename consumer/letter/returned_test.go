package letter

import (
	"testing"
	"time"

	"github.com/leatdev/leat"
)

func FuzzReturned(f *testing.F) {
	f.Add(string(Returned{Source: leat.Position{Topic: "t", Partition: 2, Offset: 17}, Timestamp: time.UnixMilli(5).UTC(), Round: 1}.Header().Value))
	f.Add("v1 t 0 0 0 0")
	f.Add("v1 t -1 0 0 0")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := ParseReturned([]leat.Header{{Key: HeaderReturned, Value: []byte(text)}})
		if !ok {
			return
		}
		if again, ok := ParseReturned([]leat.Header{r.Header()}); !ok || again != r {
			t.Errorf("%q comes back as %+v (%t), was %+v", text, again, ok, r)
		}
		if _, ok := ParseReturned([]leat.Header{r.Header(), {Key: "own"}}); ok {
			t.Error("a header that is not the last one counts")
		}
	})
}
