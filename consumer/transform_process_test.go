package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

// roleEnv makes this test binary a process that transforms, and can be killed.
const roleEnv = "LEAT_CONSUMER_TEST_ROLE"

// role is what such a process works on.
type role struct {
	Brokers        []string
	Group, In, Out string
	CrashAt        string // point at which it kills itself; "": none
	CrashPass      int32
	Parks          bool   // what fails waits in the park topic
	Instance       string // static membership: an heir need not wait for the session's end
}

func TestMain(m *testing.M) {
	if text := os.Getenv(parkRoleEnv); text != "" {
		var as parkRole
		if err := json.Unmarshal([]byte(text), &as); err != nil {
			panic(err)
		}
		if err := as.run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	text := os.Getenv(roleEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var as role
	if err := json.Unmarshal([]byte(text), &as); err != nil {
		panic(err)
	}
	if err := as.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run transforms until the process is killed. Some events fail for a while, one of each key for good.
func (as role) run(ctx context.Context) error {
	var passes atomic.Int32
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("LEAT_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	fn := func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
		switch {
		case e.Data.N == 7:
			return nil, leat.Permanent(fmt.Errorf("never"))
		case e.Data.N%31 == 5 && e.Attempt() < 3:
			return nil, fmt.Errorf("not now")
		}
		return bill(ctx, e)
	}
	var options []leat.HandlerOption
	if as.Parks {
		options = append(options, onceInline, consumer.Park(leat.Parking{Tiers: []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}}))
	}
	c, err := consumer.New(consumer.Config{
		Group: as.Group, Kafka: kafka.Config{Brokers: as.Brokers, Logger: log}, Logger: log, SessionTimeout: 6 * time.Second, InstanceID: as.Instance,
		Handlers: []leat.Handler{consumer.Transform(leat.Topic{Name: as.In, Carries: []any{Placed{}, Paid{}}}, fn, options...)},
		Transforms: consumer.TransformConfig{
			Owns:      []leat.Topic{{Name: as.Out, Carries: []any{Billed{}}}},
			MaxEvents: 100, CommitInterval: 10 * time.Millisecond, Timeout: 3 * time.Second,
		},
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

// spawn starts a process that dies with the test.
func (r *rig) spawn(crashAt string, pass int32) *exec.Cmd {
	return r.spawnAs(role{CrashAt: crashAt, CrashPass: pass})
}

func (r *rig) spawnAs(as role) *exec.Cmd {
	r.t.Helper()
	as.Brokers, as.Group, as.In, as.Out = r.b.Addrs, r.group, r.topic.Name, r.bills().Name
	text, err := json.Marshal(as)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { slay(cmd) })
	return cmd
}

// slay is kill -9, also of one that is stopped or dead.
func slay(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// soundTransform checks what a process left behind: nothing lost, repeated, out of order or open.
func (r *rig) soundTransform(keys, events int) {
	r.t.Helper()
	r.awaitCommittedIn(int64(keys*events), 2*time.Minute)
	r.awaitNothingOpen()
	r.awaitBilled(keys*(events-1), keys)
	r.billedOnce(keys, events, 7)
	if n := len(r.deadLetters()); n != keys {
		r.t.Errorf("%d dead letters, want %d", n, keys)
	}
}

func TestATransformKilledAtEachPointRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := broker.Real(t)
	for _, point := range []string{"transform.produced", "transform.offsets", "transform.ending", "transform.ended"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, b, 4)
			r.send(placed(20, 40)...)
			victim := r.spawn(point, 3)
			err := victim.Wait()
			if status, _ := victim.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
				t.Fatalf("it was to kill itself: %v", err)
			}
			r.spawn("", 0)
			r.soundTransform(20, 40)
		})
	}
}

// Killed at each step of parking, unparking and giving up inside transactions: after the records are
// produced, before and after the offsets, before and after EndTxn, when what was decided is read back.
func TestAParkingTransformKilledAtEachPointRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := broker.Real(t)
	for _, point := range []string{"park.appended", "transform.offsets", "transform.ending", "transform.ended", "park.committed", "park.readback", "park.dlq-sent"} {
		for _, pass := range []int32{2, 4} { // it has 480 events for transactions of at most 100; how many more there are is up to the machine
			t.Run(fmt.Sprint(point, " ", pass), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, b, 2)
				r.send(placed(12, 40)...)
				victim := r.spawnAs(role{CrashAt: point, CrashPass: pass, Parks: true, Instance: "bill-0"})
				late := time.AfterFunc(2*time.Minute, func() { _ = victim.Process.Kill() })
				err := victim.Wait()
				if !late.Stop() {
					t.Fatalf("it never came to %s for the %d. time", point, pass)
				}
				if status, _ := victim.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
					t.Fatalf("it was to kill itself: %v", err)
				}
				r.spawnAs(role{Parks: true, Instance: "bill-0"})
				r.soundTransform(12, 40)
			})
		}
	}
}

// Two processes are killed and frozen in turns, some for longer than the transaction's timeout and the
// session, while events come in.
func TestTransformsKilledAndFrozenRepeatNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, broker.Real(t), 4)
	const keys, events, rounds = 40, 160, 8
	seed := time.Now().UnixNano()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	pair := []*exec.Cmd{r.spawnAs(role{Parks: true}), r.spawnAs(role{Parks: true})}
	all := placed(keys, events)
	frozen, killed := 0, 0
	for round := range rounds {
		for i := range 8 { // work is in hand when it happens
			n := len(all) / rounds / 8
			r.send(all[(round*8+i)*n : (round*8+i+1)*n]...)
			time.Sleep(time.Duration(50+random.IntN(150)) * time.Millisecond)
		}
		i := random.IntN(2)
		if round%4 == 3 {
			_ = pair[i].Process.Signal(syscall.SIGSTOP)
			time.Sleep(8 * time.Second)
			_ = pair[i].Process.Signal(syscall.SIGCONT)
			frozen++
			continue
		}
		slay(pair[i])
		pair[i] = r.spawnAs(role{Parks: true})
		killed++
	}
	t.Logf("%d killed, %d frozen", killed, frozen)
	r.soundTransform(keys, events)
}
