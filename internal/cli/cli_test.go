package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/kafka"
)

func TestParseFrom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		text string
		want kafka.From
	}{
		{"start", kafka.FromStart()},
		{"earliest", kafka.FromStart()},
		{"end", kafka.FromEnd(0)},
		{"latest", kafka.FromEnd(0)},
		{"0", kafka.FromOffset(0)},
		{"17", kafka.FromOffset(17)},
		{"-10", kafka.FromEnd(10)},
		{"-5m", kafka.FromTime(now.Add(-5 * time.Minute))},
		{"-1h30m", kafka.FromTime(now.Add(-90 * time.Minute))},
		{"2026-01-30", kafka.FromTime(time.Date(2026, 1, 30, 0, 0, 0, 0, now.Location()))},
		{"2026-01-30T10:11", kafka.FromTime(time.Date(2026, 1, 30, 10, 11, 0, 0, now.Location()))},
		{"2026-01-30 10:11:12", kafka.FromTime(time.Date(2026, 1, 30, 10, 11, 12, 0, now.Location()))},
		{"2026-01-30T10:11:12Z", kafka.FromTime(time.Date(2026, 1, 30, 10, 11, 12, 0, time.UTC))},
	} {
		if got, err := parseFrom(c.text, now); err != nil || got != c.want {
			t.Errorf("parseFrom(%q) = %+v, %v, want %+v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "5m", "yesterday", "--5m", "-", "2026-13-01", "1.5"} {
		if got, err := parseFrom(text, now); err == nil {
			t.Errorf("parseFrom(%q) = %+v, want an error", text, got)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("shop.orders/2@17")
	f.Add("a/b@c")
	f.Add("/0@0")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		again, err := parsePosition(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %v, which reads back as %v, %v", text, p, again, err)
		}
	})
}

func TestPlainEscapesWhatDrivesATerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"order-42":              "order-42",
		"Grüße 世界":              "Grüße 世界",
		"\x1b[31mred":           `\x1b[31mred`,
		"a\nb\tc\r":             `a\nb\tc\r`,
		"\u202egnp.exe":         `\u202egnp.exe`,
		"nul\x00bel\a":          `nul\x00bel\a`,
		"zero\u200bwidth":       `zero\u200bwidth`,
		"\u009b31m":             `\u009b31m`,
		"line\u2028break\ufeff": `line\u2028break\ufeff`,
	} {
		if got := plain(text); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("broken"), 1},
		{usagef("what"), 2},
		{fmt.Errorf("wrapped: %w", usagef("what")), 2},
		{foundf("something"), 3},
		{Found("the books do not balance"), 3},
	} {
		var stderr bytes.Buffer
		a := &app{cfg: Config{Stderr: &stderr}}
		if got := a.end(c.err); got != c.want {
			t.Errorf("%v leaves with %d, want %d", c.err, got, c.want)
		}
		if c.err != nil && !strings.Contains(stderr.String(), c.err.Error()) {
			t.Errorf("%v is not told: %q", c.err, stderr.String())
		}
	}
}

// A record goes from tail to send as it was; JSON loses the space between its tokens.
func TestRecordGoesFromTailToSendAsItWas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ data, want []byte }{
		{nil, nil},
		{[]byte{}, []byte{}},
		{[]byte("text"), []byte("text")},
		{[]byte(`{"a": 1.50, "b": "<\u00e4>"}`), []byte(`{"a":1.50,"b":"<\u00e4>"}`)},
		{[]byte("null"), []byte("null")},
		{[]byte{0xff, 0x00}, []byte{0xff, 0x00}},
		{[]byte("\"\xff\""), []byte("\"\xff\"")}, // JSON but for its encoding
		{[]byte("12345678901234567890"), []byte("12345678901234567890")},
	} {
		var shown bytes.Buffer
		v := recordView{KeyBase64: []byte{0xff}}
		v.setData(c.data)
		if err := writeLine(&shown, v); err != nil {
			t.Fatal(err)
		}
		var read recordView
		if err := json.Unmarshal(shown.Bytes(), &read); err != nil {
			t.Fatalf("%s: %v", &shown, err)
		}
		got, err := read.value()
		if err != nil || !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) || !bytes.Equal(read.key(), []byte{0xff}) {
			t.Errorf("%q comes back as %q, %v", c.data, got, err)
		}
	}
}

func TestClockFindingJudgesBeyondTheDoubt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		skew, margin time.Duration
		want         string
	}{
		{0, 0, verdictOK},
		{maxSkew, 0, verdictOK},
		{3 * time.Second, 10 * time.Millisecond, verdictWarn},
		{-3 * time.Second, 10 * time.Millisecond, verdictWarn},
		{3 * time.Second, 2 * time.Second, verdictOK}, // it may be the question that took so long
	} {
		if got := clockFinding("clock", c.skew, c.margin); got.Verdict != c.want {
			t.Errorf("a skew of %s, give or take %s: %s, want %s", c.skew, c.margin, got.Verdict, c.want)
		}
	}
}

func TestTailSaysWhereLargeDataLies(t *testing.T) {
	t.Parallel()
	ref := blob.Ref{Name: "ab/cd", Size: 700_000, Sum: strings.Repeat("ab", 32)}
	v := recordView{Topic: "orders", Text: new("")}
	for _, h := range ref.Headers() {
		v.Headers = append(v.Headers, headerView{Key: h.Key, Value: string(h.Value)})
	}
	var out bytes.Buffer
	if err := writeRecord(&out, v); err != nil {
		t.Fatal(err)
	}
	if want := "(700000 bytes in the store of payloads: ab/cd)"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing in %q", want, out.String())
	}
}

func TestTheDoctorSaysWhatItDidNotSee(t *testing.T) {
	t.Parallel()
	seen, unseen := kafka.TopicState{Config: map[string]string{}}, kafka.TopicState{}
	for want, c := range map[string]struct {
		there map[string]kafka.TopicState
		found int
	}{
		"skip this user may not see the settings of b, c":         {map[string]kafka.TopicState{"c": unseen, "a": seen, "b": unseen}, 1},
		"ok no setting of the cluster loses events; with -F":      {nil, 0},
		"ok no setting of the cluster or the topics loses events": {map[string]kafka.TopicState{"a": seen}, 0},
		"": {map[string]kafka.TopicState{"a": seen}, 1},
	} {
		var got strings.Builder
		for _, f := range lookedAt(c.there, c.found) {
			got.WriteString(f.Verdict + " " + f.Detail)
		}
		if !strings.HasPrefix(got.String(), want) || want == "" && got.Len() > 0 {
			t.Errorf("%q, want %q", got.String(), want)
		}
	}
}

func TestDemoFlagsReachTheDemo(t *testing.T) {
	t.Parallel()
	var got Demo
	var stdout, stderr bytes.Buffer
	run := func(args ...string) int {
		stdout.Reset()
		stderr.Reset()
		return Run(t.Context(), Config{
			Args: args, Environ: []string{"LEAT_KAFKA_BROKERS=elsewhere:1"}, Stdout: &stdout, Stderr: &stderr,
			Demo: func(_ context.Context, d Demo) error { got = d; return nil },
		})
	}
	if code := run("demo", "--orders", "7", "--rate", "2.5", "--seed", "9", "--trouble", "33", "--exit", "--data", "d", "--db", "sqlite:x", "--prefix", "p.", "-o", "json"); code != 0 {
		t.Fatalf("left with %d: %s", code, &stderr)
	}
	if got.Orders != 7 || got.Rate != 2.5 || got.Seed != 9 || got.Trouble != 33 || !got.Exit || got.Data != "d" || got.DB != "sqlite:x" || got.Prefix != "p." || !got.JSON {
		t.Errorf("the demo got %+v", got)
	}
	if len(got.Connect.Brokers) > 0 {
		t.Errorf("without --kafka the demo got brokers %v, want the embedded one", got.Connect.Brokers)
	}
	if code := run("demo", "--kafka", "here:9092", "-X", "client.id=me"); code != 0 || !slices.Equal(got.Connect.Brokers, []string{"here:9092"}) || got.Connect.Properties["client.id"] != "me" || got.JSON {
		t.Errorf("left with %d, the demo got %+v", code, got.Connect)
	}
	if code := run("demo", "--attach", "http://a", "--attach", "http://b"); code != 0 || !slices.Equal(got.Attach, []string{"http://a", "http://b"}) || !slices.Equal(got.Connect.Brokers, []string{"elsewhere:1"}) {
		t.Errorf("left with %d, the demo got %+v", code, got)
	}
	for _, args := range [][]string{{"--orders", "-1"}, {"--trouble", "101"}, {"--rate", "-1"}, {"-o", "table"}, {"--attach", "http://a", "--db", "sqlite:x"}, {"extra"}} {
		if code := run(append([]string{"demo"}, args...)...); code != exitUsage {
			t.Errorf("demo %v left with %d, want %d", args, code, exitUsage)
		}
	}
}

func TestParsePosition(t *testing.T) {
	t.Parallel()
	if got, err := parsePosition("shop.orders/2@17"); err != nil || got != (leat.Position{Topic: "shop.orders", Partition: 2, Offset: 17}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "shop.orders", "t/1", "t@1", "t/-2@2", "t/1@-2", "t/x@1", "/1@1", "t/99999999999@1"} {
		if got, err := parsePosition(text); err == nil {
			t.Errorf("parsePosition(%q) = %v, want an error", text, got)
		}
	}
}
