package leattest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/leattest"
)

// fakeT catches how a helper ends a test.
type fakeT struct {
	testing.TB
	end, text string
}

func (*fakeT) Helper() {}
func (f *fakeT) Fatalf(format string, args ...any) {
	f.end, f.text = "failed", fmt.Sprintf(format, args...)
	panic(f)
}

func (f *fakeT) Skipf(format string, args ...any) {
	f.end, f.text = "skipped", fmt.Sprintf(format, args...)
	panic(f)
}

// caught runs body with a fakeT and returns how it ended.
func caught(body func(t testing.TB)) (f *fakeT) {
	defer func() {
		if r := recover(); r != nil {
			f = r.(*fakeT)
		}
	}()
	f = &fakeT{end: "passed"}
	body(f)
	return f
}

func TestEventuallyWaitsInABubbleWithoutTime(t *testing.T) {
	t.Parallel()
	started := time.Now()
	synctest.Test(t, func(t *testing.T) {
		ready := time.Now().Add(55 * time.Second)
		leattest.Eventually(t, "the time has come", func() error {
			if time.Now().Before(ready) {
				return errors.New("not yet")
			}
			return nil
		})
	})
	if d := time.Since(started); d > 50*time.Second {
		t.Errorf("took %v of real time", d)
	}
}

func TestWithinFailsWithWhatAndWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(*testing.T) {
		calls := 0
		got := caught(func(t testing.TB) {
			leattest.Within(t, time.Second, "pigs fly", func() error { calls++; return errors.New("no wings") })
		})
		if got.end != "failed" || got.text != "waited 1s until pigs fly: no wings" {
			t.Errorf("%s: %s", got.end, got.text)
		}
		if calls < 10 {
			t.Errorf("asked %d times in a second", calls)
		}
	})
}

func TestNeed(t *testing.T) {
	for _, c := range []struct{ name, where, require, end string }{
		{"there", "host:1", "", "passed"},
		{"not there", "", "", "skipped"},
		{"not there, another is required", "", "postgres", "skipped"},
		{"not there and required", "", "postgres, kafka", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("LEAT_TEST_KAFKA", c.where)
			t.Setenv("LEAT_TEST_REQUIRE", c.require)
			var where string
			got := caught(func(t testing.TB) { where = leattest.Need(t, "kafka") })
			if got.end != c.end || where != c.where {
				t.Errorf("%s with %q, want %s: %s", got.end, where, c.end, got.text)
			}
			if got.end != "passed" && !strings.Contains(got.text, "LEAT_TEST_KAFKA is not set") {
				t.Errorf("the reason is missing: %s", got.text)
			}
		})
	}
}

func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		name := leattest.Name("orders")
		if seen[name] || !strings.HasPrefix(name, "orders-") || strings.ToLower(name) != name {
			t.Fatalf("name %q", name)
		}
		seen[name] = true
	}
}
