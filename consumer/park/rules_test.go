package park

import (
	"slices"
	"strings"
	"testing"
)

// held is a beginning in which a key is held and its next event came.
var held = []string{
	"owner 0 begins", "0: mark(e1) lands at 0", "0: reads mark(e1) at 0",
	"0: source 0", "0: 0/0 fails for good", "0: dead(e1, 0/0) lands at 1", "0: reads dead(e1, 0/0) at 1", "0: source 1",
}

// broken is the protocol with one rule switched off, in a world where that shows.
var broken = map[string]setup{
	"marker":           {keys: "K", owners: 2, crashes: 1, failures: 2, without: withoutMarker},
	"epoch none":       {keys: "K", owners: 3, crashes: 2, failures: 2, without: withoutEpochAtLow},
	"epoch own":        {keys: "K", owners: 3, crashes: 2, failures: 1, without: withOwnEpochAtLow},
	"read back":        {keys: "K", owners: 2, moves: 1, failures: 1, zombies: idle, without: withoutReadBack},
	"covered":          {keys: "LK", owners: 2, crashes: 1, failures: 1, without: withoutCover},
	"wait for Dead":    {keys: "KK", owners: 2, crashes: 1, failures: 1, without: withoutWait},
	"coordinate queue": {keys: "KK", owners: 2, crashes: 1, failures: 1, without: withoutCoordinates},
	"commit wait":      {keys: "KK", owners: 2, crashes: 1, failures: 2, without: withoutCommitWait},
	"de-dupe":          {keys: "LK", owners: 2, crashes: 1, failures: 1, without: withoutDedupe},
	"round in Fin":     {keys: "K", owners: 2, crashes: 1, failures: 1, redrive: true, without: withoutRound},
	"turn":             {keys: "KK", owners: 2, refusals: 1, failures: 1, without: withoutTurn},
	"hold id": {keys: "KK", owners: 2, crashes: 1, failures: 1, hold: true, without: withoutHoldID, after: append(slices.Clone(held),
		"0: dead letter 0/0", "tool: stage(e0, 0/1) of hold 1", "0: reads stage(e0, 0/1) of hold 1 at 2", "tool: release(e0) of hold 1 with 1")},
	"only later blocked": {keys: "KK", owners: 2, crashes: 1, failures: 2, hold: true, inbox: true, without: withoutLater},
	"release compares":   {keys: "KK", owners: 1, failures: 2, hold: true, without: withoutCount, after: held},
	"move rules": {keys: "KK", owners: 2, crashes: 1, failures: 2, scan: 1, without: withoutMoveRules, after: []string{
		"owner 0 begins", "0: mark(e1) lands at 0", "0: reads mark(e1) at 0",
		"0: source 0", "0: 0/0 fails", "0: park(e1, 0/0) lands at 1", "0: reads park(e1, 0/0) at 1",
		"0: source 1", "0: park(e1, 1/0) lands at 2", "0: reads park(e1, 1/0) at 2",
		"0: 0/0 is due", "0: 0/0 fails for good", "0: dead(e1, 0/0) lands at 3", "0: reads dead(e1, 0/0) at 3",
	}},
	"sent again":        {keys: "KK", owners: 1, produce: 1, failures: 2, resend: true},
	"effects apart":     {keys: "K", owners: 2, crashes: 1, failures: 1, txn: true, apart: true},
	"no map":            {keys: "LK", owners: 2, crashes: 1, txn: true, mapless: true},
	"old owner commits": {keys: "K", owners: 2, moves: 1, failures: 1, txn: true, zombies: running, unfenced: true},
}

func TestEachRuleIsNeeded(t *testing.T) {
	t.Parallel()
	for name, s := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault, trace, states, complete := search(&s, max(60_000, limit()))
			if fault == "" {
				t.Fatalf(name+": no fault in %d states (all of them: %v)", states, complete)
			}
			t.Logf(name+": %s in %d steps, after %d states:\n%s", fault, len(trace), states, strings.Join(trace, "\n"))
			whole := s
			whole.without, whole.resend, whole.apart, whole.mapless, whole.unfenced = 0, false, false, false, false
			w := newWorld(&whole)
			for i, what := range trace[len(s.after):] {
				if !w.take(what) {
					return // the rule stands in the way of it
				}
				if w.fault != "" {
					t.Fatalf("the same happens with the rule, at step %d: %s", i, w.fault)
				}
			}
		})
	}
}

// take does the choice of that name, if there is one.
func (w *world) take(what string) bool {
	for _, ch := range w.choices() {
		if ch.what() == what {
			ch.do(w)
			return true
		}
	}
	return false
}
