package leat_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

func TestOutcomesSurviveWrapping(t *testing.T) {
	t.Parallel()
	wrap := func(err error) error { return fmt.Errorf("charge order: %w", err) }
	if !leat.IsPermanent(wrap(leat.Permanent(io.EOF))) || !errors.Is(leat.Permanent(io.EOF), io.EOF) {
		t.Error("Permanent is lost")
	}
	if !leat.IsPermanent(wrap(&leat.UndecodableError{Err: io.EOF})) {
		t.Error("an undecodable record is not permanent")
	}
	if leat.IsPermanent(io.EOF) || leat.IsPermanent(leat.Unavailable(io.EOF)) {
		t.Error("a plain error is permanent")
	}
	if !leat.IsUnavailable(wrap(leat.Unavailable(io.EOF))) || leat.IsUnavailable(io.EOF) {
		t.Error("Unavailable is lost")
	}
	if d, ok := leat.RetryDelay(wrap(leat.RetryAfter(io.EOF, time.Minute))); !ok || d != time.Minute {
		t.Errorf("RetryDelay = %v %v", d, ok)
	}
	if d, ok := leat.RetryDelay(leat.RetryAfter(io.EOF, -time.Minute)); !ok || d != 0 {
		t.Errorf("a negative delay is %v %v", d, ok)
	}
	if r, ok := leat.SkipReason(wrap(leat.Skip("too old"))); !ok || r != "too old" {
		t.Errorf("SkipReason = %q %v", r, ok)
	}
	if leat.Permanent(nil) != nil || leat.RetryAfter(nil, 1) != nil || leat.Unavailable(nil) != nil {
		t.Error("nil does not stay nil")
	}
}
