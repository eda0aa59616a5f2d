package devstack_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

// childDir makes this test binary a stack on that directory, in a process that can be killed.
const childDir = "LEAT_DEVSTACK_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child serves until its standard input ends, which it does when the parent dies too.
func child(dir string) {
	s, err := devstack.Open(context.Background(), devstack.Config{Dir: dir})
	if err != nil {
		fmt.Println("ERROR", err)
		os.Exit(1)
	}
	fmt.Println("AT", s.Brokers()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Println("ERROR", err)
		os.Exit(1)
	}
}

// process is a stack in a process of its own.
type process struct {
	cmd  *exec.Cmd
	said string // its first line
}

func spawn(t *testing.T, dir string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(p.kill)
	if p.said, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) broker(t *testing.T) *broker.Broker {
	t.Helper()
	addr, ok := strings.CutPrefix(strings.TrimSpace(p.said), "AT ")
	if !ok {
		t.Fatalf("the child said %q", p.said)
	}
	return broker.At(addr)
}

func open(t *testing.T, cfg devstack.Config) *devstack.Stack {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := devstack.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestKilledBrokerKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var sent []string
	for round := range 3 {
		p := spawn(t, dir)
		b := p.broker(t)
		if round == 0 {
			b.CreateTopic(t, "orders", 3, nil)
		}
		for i := range 50 {
			value := fmt.Sprintf("%d/%d", round, i)
			b.Produce(t, &kgo.Record{Topic: "orders", Key: []byte(value), Value: []byte(value)})
			sent = append(sent, value)
		}
		var offsets kadm.Offsets
		offsets.AddOffset("orders", 0, int64(round), -1)
		if err := kadm.NewClient(b.Client(t)).CommitAllOffsets(t.Context(), "group", offsets); err != nil {
			t.Fatal(err)
		}
		p.kill()

		p = spawn(t, dir)
		b = p.broker(t)
		seen := map[string]int{}
		for _, r := range b.ReadAll(t, "orders", kgo.ReadCommitted()) {
			seen[string(r.Value)]++
		}
		for _, v := range sent {
			if seen[v] != 1 {
				t.Errorf("round %d: record %s is there %d times, want once", round, v, seen[v])
			}
		}
		if got := b.Committed(t, "group", "orders"); got[0] != int64(round) {
			t.Errorf("committed offset %d, want %d", got[0], round)
		}
		p.kill()
	}
}

func TestSecondProcessOnOneDirectoryIsToldWhoHoldsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := spawn(t, dir)
	first.broker(t)
	second := spawn(t, dir)
	if want := fmt.Sprintf("in use by process %d", first.cmd.Process.Pid); !strings.Contains(second.said, want) {
		t.Errorf("the second said %q, want %q in it", second.said, want)
	}
	var inUse *devstack.InUseError
	if _, err := devstack.Open(t.Context(), devstack.Config{Dir: dir}); !errors.As(err, &inUse) {
		t.Errorf("open in a third process: %v, want an InUseError", err)
	}
	first.kill()
	open(t, devstack.Config{Dir: dir})
}

func TestTakenAddressIsSaid(t *testing.T) {
	t.Parallel()
	s := open(t, devstack.Config{})
	dir := t.TempDir()
	_, err := devstack.Open(t.Context(), devstack.Config{Dir: dir, Listen: s.Brokers()[0]})
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("listening twice on one address: %v", err)
	}
	open(t, devstack.Config{Dir: dir}) // the failed start let the directory go
}

func TestClusterIDStaysWithTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, devstack.Config{Dir: dir})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, devstack.Config{Dir: dir})
	meta, err := kadm.NewClient(broker.At(second.Brokers()...).Client(t)).Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if meta.Cluster != first.ClusterID() || !strings.HasPrefix(meta.Cluster, kafka.EmbeddedPrefix) {
		t.Errorf("cluster id %q after a restart, want %q", meta.Cluster, first.ClusterID())
	}
	if other := open(t, devstack.Config{}); other.ClusterID() == first.ClusterID() {
		t.Error("another directory has the same cluster id")
	}
}

func TestTemporaryDirectoryGoesWithClose(t *testing.T) {
	t.Parallel()
	s := open(t, devstack.Config{})
	if _, err := os.Stat(s.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory is still there: %v", err)
	}
}

func TestClientsAreToldTheAdvertisedAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ listen, advertise, want string }{
		{"127.0.0.1:0", "", "127.0.0.1"},
		{"0.0.0.0:0", "", "127.0.0.1"},
		{"127.0.0.1:0", "broker.internal:19092", "broker.internal"},
	} {
		s := open(t, devstack.Config{Listen: c.listen, Advertise: c.advertise})
		if host, _, _ := net.SplitHostPort(s.Brokers()[0]); host != c.want {
			t.Errorf("listening on %s, advertising %q: clients are told %s, want %s", c.listen, c.advertise, host, c.want)
		}
	}
}

// Whatever a topic asks for, nothing goes: neither what is old nor what is superseded.
func TestNothingIsDeletedByTimeSizeOrCompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, devstack.Config{Dir: dir})
	b := broker.At(s.Brokers()...)
	b.CreateTopic(t, "old", 1, map[string]string{"retention.ms": "1"})
	b.CreateTopic(t, "compacted", 1, map[string]string{"cleanup.policy": "compact", "retention.ms": "1", "retention.bytes": "1"})
	longAgo := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	cl := b.Client(t) // without a delivery timeout, which counts from a record's timestamp
	for range 3 {
		for _, topic := range []string{"old", "compacted"} {
			r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Timestamp: longAgo}
			if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	configs, err := kadm.NewClient(b.Client(t)).DescribeBrokerConfigs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	for key, want := range map[string]string{"log.retention.ms": "-1", "log.retention.bytes": "-1", "log.cleaner.backoff.ms": "3153600000000", "offsets.retention.minutes": "2147483647"} {
		if got[key] != want {
			t.Errorf("broker config %s is %q, want %q", key, got[key], want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b = broker.At(open(t, devstack.Config{Dir: dir}).Brokers()...)
	for _, topic := range []string{"old", "compacted"} {
		if n := len(b.ReadAll(t, topic, kgo.ReadCommitted())); n != 3 {
			t.Errorf("topic %s has %d of 3 records", topic, n)
		}
	}
}

// Every key and version, with bodies empty, short and random, and plain garbage: the broker lives.
func TestMalformedFramesDoNotStopTheBroker(t *testing.T) {
	t.Parallel()
	s := open(t, devstack.Config{})
	addr := s.Brokers()[0]
	b := broker.At(addr)
	b.CreateTopic(t, "orders", 1, nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var frames [][]byte
	for key := -2; key < 100; key++ {
		for version := -1; version < 20; version += 1 + random.IntN(4) {
			top := uint32(256)
			if flexible(int16(key), int16(version)) {
				top = 128 // one-byte counts: see the package's Failure for why no longer ones
			}
			body := make([]byte, random.IntN(60))
			for i := range body {
				body[i] = byte(random.Uint32N(top))
			}
			frames = append(frames, frame(int16(key), int16(version), body))
		}
	}
	frames = append(
		frames,
		[]byte{0xff, 0xff, 0xff, 0xff}, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9},
		[]byte("GET / HTTP/1.1\r\n\r\n"), frame(int16(kmsg.Produce), 0, nil), []byte{0},
	)
	for _, f := range frames {
		throw(t, addr, f)
	}
	b.Produce(t, &kgo.Record{Topic: "orders", Value: []byte("still here")})
	if got := b.ReadAll(t, "orders", kgo.ReadCommitted()); len(got) != 1 {
		t.Errorf("the topic has %d records, want 1", len(got))
	}
}

func flexible(key, version int16) bool {
	req := kmsg.RequestForKey(key)
	if req == nil {
		return false
	}
	req.SetVersion(version)
	return req.IsFlexible()
}

func frame(key, version int16, body []byte) []byte {
	f := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	f = binary.BigEndian.AppendUint16(f, uint16(key))
	f = binary.BigEndian.AppendUint16(f, uint16(version))
	f = binary.BigEndian.AppendUint32(f, 7)      // correlation id
	f = binary.BigEndian.AppendUint16(f, 0xffff) // no client id
	return append(f, body...)
}

// throw sends bytes on a connection of their own and closes its writing side, so that the broker
// has read all of them when it answers or hangs up.
func throw(t *testing.T, addr string, data []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("the broker is gone: %v", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(data)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn) // the broker may answer, hang up, or wait for more
}

func Example() {
	stack, err := devstack.Open(context.Background(), devstack.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stack.Close()
	client, err := kafka.Open(context.Background(), stack.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client.Embedded(), client.ClusterID() == stack.ClusterID())
	// Output: true true
}
