package consumer_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// parkRoleEnv makes this test binary a process that parks, and can be killed.
const parkRoleEnv = "LEAT_CONSUMER_TEST_PARK"

// parkRole is what such a process works on.
type parkRole struct {
	Brokers   []string
	Group, In string
	Effects   string // the file that takes what its handler did, a line for each
	CrashAt   string // point at which it kills itself; "": none
	CrashPass int32
	Later     bool // what fails waits in retry topics, and none of the park topic's order is kept
}

// run handles events until the process is killed: one of ten takes three attempts, one of each key
// fails for good.
func (as parkRole) run(ctx context.Context) error {
	effects, err := os.OpenFile(as.Effects, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var passes atomic.Int32
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("LEAT_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	handle := func(_ context.Context, e *leat.Event[Placed]) error {
		switch {
		case e.Data.N == 7:
			return leat.Permanent(errors.New("never"))
		case e.Data.N%10 == 3 && e.Attempt() < 3:
			return errors.New("not now")
		}
		_, err := fmt.Fprintf(effects, "%s %d\n", e.Key(), e.Data.N)
		return err
	}
	tiers := []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}
	options := []leat.HandlerOption{onceInline, consumer.Park(leat.Parking{Tiers: tiers})}
	if as.Later {
		options = []leat.HandlerOption{onceInline, consumer.Unordered(), consumer.RetryTopics(leat.RetryTopics{Delays: tiers})}
	}
	session := lasting
	if as.CrashAt != "" {
		session = 6 * time.Second // for its heir waits for the end of it
	}
	c, err := consumer.New(consumer.Config{
		Group: as.Group, Kafka: kafka.Config{Brokers: as.Brokers, Logger: log}, Logger: log, SessionTimeout: session,
		CommitInterval: 20 * time.Millisecond,
		Handlers:       []leat.Handler{consumer.On(leat.Topic{Name: as.In, Carries: []any{Placed{}, Paid{}}}, handle, options...)},
		Hook: func(point string) {
			if point == as.CrashAt && passes.Add(1) == as.CrashPass {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		},
	})
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// spawnParking starts a process that dies with the test.
func (r *rig) spawnParking(effects, crashAt string, pass int32) *exec.Cmd {
	r.t.Helper()
	return r.spawnRole(parkRole{Effects: effects, CrashAt: crashAt, CrashPass: pass})
}

func (r *rig) spawnRole(as parkRole) *exec.Cmd {
	r.t.Helper()
	as.Brokers, as.Group, as.In = r.b.Addrs, r.group, r.topic.Name
	text, err := json.Marshal(as)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parkRoleEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { slay(cmd) })
	return cmd
}

// ledgerOf reads what processes have written down.
func ledgerOf(t testing.TB, effects string) *ledger {
	t.Helper()
	f, err := os.Open(effects)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := newLedger()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var key string
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "%s %d", &key, &n); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		l.add(key, n)
	}
	return l
}

func TestAParkingMemberKilledAtEachPointKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := broker.Real(t)
	for _, point := range []string{"park.appended", "park.readback", "park.committed", "park.dlq-sent", "consumer.handled"} {
		later := int32(7)
		switch point { // how often is up to the machine; so often it has to
		case "park.committed":
			later = 2
		case "park.readback":
			later = 3
		}
		for _, pass := range []int32{1, later} {
			t.Run(fmt.Sprint(point, " ", pass), func(t *testing.T) {
				t.Parallel()
				const keys, n = 12, 24
				r := newRig(t, b, 2)
				effects := filepath.Join(t.TempDir(), "effects")
				r.send(placed(keys, n)...)
				victim := r.spawnParking(effects, point, pass)
				late := time.AfterFunc(2*time.Minute, func() { _ = victim.Process.Kill() })
				err := victim.Wait()
				if !late.Stop() {
					t.Fatalf("it never came to %s for the %d. time", point, pass)
				}
				if status, _ := victim.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
					t.Fatalf("it was to kill itself: %v", err)
				}
				heir := r.spawnParking(effects, "", 0)
				poison := map[string]bool{}
				for k := range keys {
					poison[fmt.Sprintf("k%d/7", k)] = true
				}
				leattest.Within(t, 2*time.Minute, "every event has an effect or a dead letter", func() error {
					done := map[string]bool{}
					for key, list := range ledgerOf(t, effects).byKey {
						for _, n := range list {
							done[fmt.Sprintf("%s/%d", key, n)] = true
						}
					}
					if sum := r.committedSum(); len(done) < keys*(n-1) || sum != keys*n {
						return fmt.Errorf("%d effects, committed %d", len(done), sum)
					}
					if dead := len(r.folded()); dead < keys {
						return fmt.Errorf("%d dead letters", dead)
					}
					return nil
				})
				slay(heir)
				r.parkedSound(ledgerOf(t, effects), keys, n, poison)
			})
		}
	}
}
