package letter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

func story() letter.DeadLetter {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	return letter.DeadLetter{
		Source: leat.Position{Topic: "shop.orders", Partition: 3, Offset: 42}, Timestamp: at, Group: "payment",
		Reason: letter.ReasonPanic, Error: "oops", Stack: "goroutine 1", Attempts: 2,
		FirstFailure: at.Add(time.Second), LastFailure: at.Add(2 * time.Second),
		Handler: "shop.order.created.v1", Version: "v1.2.3", Omitted: []string{"stack"},
	}
}

func TestTheStoryOfADeadLetterIsReadBack(t *testing.T) {
	t.Parallel()
	want := story()
	got, err := letter.ParseDeadLetter(append([]leat.Header{
		{Key: "ce_id", Value: []byte("1")},
		{Key: letter.HeaderGroup, Value: []byte("a letter of a letter: the last one counts")},
	}, want.Headers()...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestTheHeadersOfADeadLetterAreAContract(t *testing.T) {
	t.Parallel()
	d := story()
	var got strings.Builder
	for _, h := range d.Headers() {
		got.WriteString(h.Key + ": " + string(h.Value) + "\n")
	}
	const want = `leat-reason: panic
leat-error: oops
leat-stack: goroutine 1
leat-source-topic: shop.orders
leat-source-partition: 3
leat-source-offset: 42
leat-source-timestamp: 2026-01-02T03:04:05.6Z
leat-group: payment
leat-attempts: 2
leat-first-failure: 2026-01-02T03:04:06.6Z
leat-last-failure: 2026-01-02T03:04:07.6Z
leat-handler: shop.order.created.v1
leat-version: v1.2.3
leat-omitted: stack
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestLongStoriesAreCutAtACharacter(t *testing.T) {
	t.Parallel()
	d := story()
	d.Error, d.Stack = strings.Repeat("\u20ac", 1000), strings.Repeat("x", 20_000)+"\xff"
	got, err := letter.ParseDeadLetter(d.Headers())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Error) > 1<<10 || len(got.Stack) > 8<<10 || strings.Contains(got.Error, "\ufffd") || !strings.HasSuffix(got.Error, "\u20ac...") {
		t.Errorf("error of %d bytes, stack of %d: %q", len(got.Error), len(got.Stack), got.Error[len(got.Error)-10:])
	}
}

func TestWhatIsNoDeadLetterIsToldSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key, value, want string
	}{
		"no topic":       {letter.HeaderTopic, "", "leat-source-topic is missing"},
		"offset":         {letter.HeaderOffset, "many", `leat-source-offset is "many", want a number`},
		"partition":      {letter.HeaderPartition, "99999999999", "want a number"},
		"negative":       {letter.HeaderOffset, "-1", "want a number"},
		"time":           {letter.HeaderTimestamp, "yesterday", "want a time as of RFC 3339"},
		"no reason":      {letter.HeaderReason, "", "leat-reason is missing"},
		"attempts large": {letter.HeaderAttempts, "1e9", "want a number"},
	} {
		d := story()
		_, err := letter.ParseDeadLetter(append(d.Headers(), leat.Header{Key: c.key, Value: []byte(c.value)}))
		if !errors.Is(err, letter.ErrNotADeadLetter) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestDeadLettersAreFoldedBySourceAndGroup(t *testing.T) {
	t.Parallel()
	a, b, c := story(), story(), story()
	b.LastFailure = b.LastFailure.Add(time.Hour) // the same, written again after a crash
	c.Group = "shipping"
	if got := letter.FoldDeadLetters([]letter.DeadLetter{a, b, c}); cmp.Diff(got, []letter.DeadLetter{a, c}) != "" {
		t.Errorf("folded to %v", got)
	}
}

func FuzzParseDeadLetter(f *testing.F) {
	d := story()
	for _, h := range d.Headers() {
		f.Add(h.Key, h.Value)
	}
	f.Add(letter.HeaderOffset, []byte("9223372036854775807"))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		base := story()
		got, err := letter.ParseDeadLetter(append(base.Headers(), leat.Header{Key: key, Value: value}))
		if err != nil {
			if !errors.Is(err, letter.ErrNotADeadLetter) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := letter.ParseDeadLetter(got.Headers())
		if err != nil {
			t.Fatalf("what was read can't be written and read: %v", err)
		}
		if again.ID() != got.ID() || again.Reason != got.Reason {
			t.Fatalf("read %+v, then %+v", got, again)
		}
	})
}
