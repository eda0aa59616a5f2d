package cli

import (
	"fmt"
	"strings"
)

// diffContext is how many lines that did not change stand around those that did.
const diffContext = 3

// maxDiff bounds the table of a comparison, in cells; past it, all between the first and the last change
// counts as changed.
const maxDiff = 4 << 20

// edit is one line of a comparison: ' ' in both, '-' in the old text, '+' in the new one.
type edit struct {
	op   byte
	text string
}

// lineDiff is the unified diff of two texts, "" where they are the same.
func lineDiff(from, to string, old, next []string) string {
	edits := compareLines(old, next)
	var b strings.Builder
	oldLine, newLine := 1, 1
	for at := 0; at < len(edits); {
		if near(edits, at) {
			if b.Len() == 0 {
				fmt.Fprintf(&b, "--- %s\n+++ %s\n", from, to)
			}
			end := at
			var oldCount, newCount int
			var body strings.Builder
			for ; end < len(edits) && near(edits, end); end++ {
				body.WriteString(string(edits[end].op) + edits[end].text + "\n")
				oldCount, newCount = count(edits[end], oldCount, newCount)
			}
			fmt.Fprintf(&b, "@@ -%s +%s @@\n%s", hunk(oldLine, oldCount), hunk(newLine, newCount), body.String())
			oldLine, newLine, at = oldLine+oldCount, newLine+newCount, end
			continue
		}
		oldLine, newLine = count(edits[at], oldLine, newLine)
		at++
	}
	return b.String()
}

// hunk spells a range; an empty one stands after the line before it.
func hunk(line, count int) string {
	if count == 0 {
		line--
	}
	return fmt.Sprintf("%d,%d", line, count)
}

func count(e edit, old, next int) (int, int) {
	if e.op != '+' {
		old++
	}
	if e.op != '-' {
		next++
	}
	return old, next
}

// near says whether a line is changed, or so close to one that it is shown.
func near(edits []edit, at int) bool {
	for _, e := range edits[max(0, at-diffContext):min(len(edits), at+diffContext+1)] {
		if e.op != ' ' {
			return true
		}
	}
	return false
}

// compareLines finds a longest common part, by the table of what is left from each pair of lines on.
func compareLines(old, next []string) (edits []edit) {
	begin := 0
	for begin < min(len(old), len(next)) && old[begin] == next[begin] {
		edits = append(edits, edit{' ', old[begin]})
		begin++
	}
	end := 0
	for end < min(len(old), len(next))-begin && old[len(old)-1-end] == next[len(next)-1-end] {
		end++
	}
	tail := old[len(old)-end:]
	old, next = old[begin:len(old)-end], next[begin:len(next)-end]
	if (len(old)+1)*(len(next)+1) <= maxDiff {
		left := commonLeft(old, next)
		for len(old) > 0 && len(next) > 0 {
			i, j := len(left)-1-len(old), len(left[0])-1-len(next)
			switch {
			case old[0] == next[0]:
				edits = append(edits, edit{' ', old[0]})
				old, next = old[1:], next[1:]
			case left[i+1][j] >= left[i][j+1]:
				edits = append(edits, edit{'-', old[0]})
				old = old[1:]
			default:
				edits = append(edits, edit{'+', next[0]})
				next = next[1:]
			}
		}
	}
	for _, line := range old {
		edits = append(edits, edit{'-', line})
	}
	for _, line := range next {
		edits = append(edits, edit{'+', line})
	}
	for _, line := range tail {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

// commonLeft is, for each i and j, the length of a longest common part of old[i:] and next[j:].
func commonLeft(old, next []string) [][]int32 {
	left := make([][]int32, len(old)+1)
	for i := range left {
		left[i] = make([]int32, len(next)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(next) - 1; j >= 0; j-- {
			if left[i][j] = max(left[i+1][j], left[i][j+1]); old[i] == next[j] {
				left[i][j] = left[i+1][j+1] + 1
			}
		}
	}
	return left
}
