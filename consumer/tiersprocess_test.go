package consumer_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

func TestAMemberKilledOnTheWayToARetryTopicLosesNothing(t *testing.T) {
	t.Parallel()
	b := broker.Real(t)
	for _, point := range []string{"consumer.handled", "consumer.deferred", "consumer.committing", "consumer.committed", "consumer.deadlettered"} {
		later := int32(3)
		if strings.HasPrefix(point, "consumer.committ") { // how often it commits is up to the machine
			later = 2
		}
		for _, pass := range []int32{1, later} {
			t.Run(fmt.Sprint(point, " ", pass), func(t *testing.T) {
				t.Parallel()
				const keys, n = 12, 24
				r := newRig(t, b, 2)
				effects := filepath.Join(t.TempDir(), "effects")
				r.send(placed(keys, n)...)
				victim := r.spawnRole(parkRole{Effects: effects, CrashAt: point, CrashPass: pass, Later: true})
				late := time.AfterFunc(2*time.Minute, func() { _ = victim.Process.Kill() })
				err := victim.Wait()
				if !late.Stop() {
					t.Fatalf("it never came to %s for the %d. time", point, pass)
				}
				if status, _ := victim.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
					t.Fatalf("it was to kill itself: %v", err)
				}
				heir := r.spawnRole(parkRole{Effects: effects, Later: true})
				leattest.Within(t, 2*time.Minute, "every event has an effect or a dead letter", func() error {
					done := map[string]bool{}
					for key, list := range ledgerOf(t, effects).byKey {
						for _, i := range list {
							done[fmt.Sprintf("%s/%d", key, i)] = true
							if i == 7 {
								t.Fatal("an event that can't be handled took effect")
							}
						}
					}
					if len(done) < keys*(n-1) {
						return fmt.Errorf("%d effects", len(done))
					}
					if dead, sum := len(r.folded()), r.committedSum(); dead < keys || sum != keys*n {
						return fmt.Errorf("%d dead letters, committed %d", dead, sum)
					}
					return nil
				})
				slay(heir)
				if dead := len(r.folded()); dead != keys {
					t.Errorf("%d dead letters, want %d", dead, keys)
				}
			})
		}
	}
}
