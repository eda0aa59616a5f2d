package leattest

import (
	"testing"
	"time"
)

// patience is how long Eventually waits: long enough for a loaded machine,
// short enough to end before go test's own limit does.
const patience = time.Minute

// Eventually calls f until it returns nil and fails the test with what and f's
// last error when that has not happened within a minute. In a synctest bubble
// it is the bubble's.
func Eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	Within(t, patience, what, f)
}

// Within is Eventually with a limit of its own. It calls f at least once, and
// once more when the limit has passed.
func Within(t testing.TB, limit time.Duration, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		late := !time.Now().Before(deadline)
		err := f()
		if err == nil {
			return
		}
		if late {
			t.Fatalf("waited %v until %s: %v", limit, what, err)
		}
		time.Sleep(min(pause, time.Until(deadline)))
	}
}
