package leat_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

// The vector of RFC 9562, appendix A.6.
func TestUUIDv7MatchesTheRFC(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(0x017F22E279B0)
	random := [10]byte{0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F}
	if got, want := leat.UUIDv7(at, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; got != want {
		t.Fatalf("UUIDv7 = %s, want %s", got, want)
	}
}

func TestNewIDIsUniqueAndSortsByMillisecond(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	var last string
	for range 1000 {
		id := leat.NewID()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("id %q is malformed or repeated", id)
		}
		if id[:13] < last {
			t.Fatalf("%s comes after %s", id, last)
		}
		last, seen[id] = id[:13], true
	}
}
