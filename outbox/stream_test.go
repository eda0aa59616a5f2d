package outbox

import "testing"

// A transaction is in the log before it is visible.
func TestWhatIsNotVisibleYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		snapshot string
		xid      uint32
		hidden   bool
	}{
		{"10:20:", 9, false},
		{"10:20:", 19, false},
		{"10:20:", 20, true},
		{"10:20:10,15", 15, true},
		{"10:20:10,15", 14, false},
		{"4294967300:4294967310:", 4294967295, false}, // the last one before the counter's lower half began anew
		{"4294967300:4294967310:4294967305", 9, true},
		{"4294967300:4294967310:", 14, true},
	} {
		hidden, err := inProgress(c.snapshot)
		if err != nil || hidden(c.xid) != c.hidden {
			t.Errorf("%d in %s: %v, %v", c.xid, c.snapshot, !c.hidden, err)
		}
	}
	for _, text := range []string{"", "1:2", "1:x:", "1:2:x"} {
		if _, err := inProgress(text); err == nil {
			t.Errorf("%q is a snapshot", text)
		}
	}
}
