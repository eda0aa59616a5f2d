package cli

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestLineDiffIsUnified(t *testing.T) {
	t.Parallel()
	old := strings.Split("a b c d e f g h i j k l m", " ")
	next := strings.Split("a b c d X f g h i j k l m n", " ")
	want := "--- 1\n+++ 2\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n@@ -11,3 +11,4 @@\n k\n l\n m\n+n\n"
	if got := lineDiff("1", "2", old, next); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := lineDiff("1", "2", old, old); got != "" {
		t.Errorf("of equal texts: %q", got)
	}
	if got, want := lineDiff("1", "2", nil, []string{"a"}), "--- 1\n+++ 2\n@@ -0,0 +1,1 @@\n+a\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever the texts are, a comparison holds both, line by line, and no line twice.
func TestAComparisonHoldsBothTexts(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func(n int) (lines []string) {
		for range rnd.IntN(n) {
			lines = append(lines, string(rune('a'+rnd.IntN(4))))
		}
		return lines
	}
	check := func(old, next []string) (same int) {
		var gotOld, gotNext []string
		for _, e := range compareLines(old, next) {
			if e.op != '+' {
				gotOld = append(gotOld, e.text)
			}
			if e.op != '-' {
				gotNext = append(gotNext, e.text)
			}
			if e.op == ' ' {
				same++
			}
		}
		if !slices.Equal(gotOld, old) || !slices.Equal(gotNext, next) {
			t.Fatalf("of %v and %v: got %v and %v", old, next, gotOld, gotNext)
		}
		return same
	}
	for range 2000 {
		old, next := text(12), text(12)
		if got, want := check(old, next), int(commonLeft(old, next)[0][0]); got != want {
			t.Fatalf("of %v and %v %d lines stay, want %d", old, next, got, want)
		}
	}
	large := slices.Repeat([]string{"a", "b"}, 2000)
	check(large, slices.Repeat([]string{"b", "a", "c"}, 2000))
}
