package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// Clusters are those that logs are tested on.
var Clusters = map[string]func(testing.TB) kafka.Config{}

// FreeAddr is an address to listen on that nobody has.
var FreeAddr func(testing.TB) string

// eachCluster runs a test on each.
func eachCluster(t *testing.T, body func(t *testing.T, cluster kafka.Config)) {
	for _, name := range []string{"kfake", "kafka"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body(t, Clusters[name](t))
		})
	}
}

// openKafka opens a log for a registry of its own; "": a new topic, a new group.
func openKafka(t testing.TB, cluster kafka.Config, topic, group string) *Kafka {
	t.Helper()
	return openKafkaAs(t, KafkaConfig{
		Connect: cluster, Topic: cmp.Or(topic, "_schemas-"+leat.NewID()), Group: cmp.Or(group, "schema-registry-"+leat.NewID()),
		URL: "http://" + FreeAddr(t), Logger: quiet(t),
		Session: 30 * time.Second, Heartbeat: 100 * time.Millisecond, // a loaded machine does not let it run out
	})
}

func openKafkaAs(t testing.TB, cfg KafkaConfig) *Kafka {
	t.Helper()
	cfg.Session = cmp.Or(cfg.Session, time.Minute) // a transaction may last as long
	var log *Kafka
	eventually(t, "the log is open", func() (err error) {
		log, err = OpenKafka(t.Context(), cfg)
		return err
	})
	t.Cleanup(log.Close)
	return log
}

// seated waits until the group has chosen, as this registry knows it.
func seated(t testing.TB, log *Kafka) {
	t.Helper()
	eventually(t, "the registries choose", func() error {
		if url, self := log.Leader(); url == "" && !self {
			return errors.New("nobody leads")
		}
		return nil
	})
}

// eventually asks until there is no error.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// follow runs a log without a registry around it, until the test ends, and returns how far it has
// read.
func follow(t testing.TB, log *Kafka) (position func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	done, at := make(chan error, 1), make(chan int64, 1)
	at <- 0
	go func() {
		done <- log.Follow(ctx, func(_ []Entry, next int64) {
			<-at
			at <- next
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	seated(t, log)
	return func() int64 { n := <-at; at <- n; return n }
}

// leads waits until a log's registry may write.
func leads(t testing.TB, log *Kafka) {
	t.Helper()
	eventually(t, "this one leads", func() error {
		if url, self := log.Leader(); !self {
			return fmt.Errorf("%q leads", url)
		}
		return nil
	})
}

func record(n int) []Record {
	return []Record{{Key: fmt.Appendf(nil, `{"keytype":"CONFIG","subject":"s%d","magic":0}`, n), Value: []byte(`{"compatibilityLevel":"FULL"}`)}}
}

// TestAWriteStandsBehindWhatWasJudgedOrNotAtAll lets another program write between a verdict and its
// append.
func TestAWriteStandsBehindWhatWasJudgedOrNotAtAll(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		ctx, log := t.Context(), openKafka(t, cluster, "", "")
		follow(t, log)
		leads(t, log)
		if _, err := log.Append(ctx, 0, record(0)); !errors.Is(err, ErrStale) {
			t.Errorf("an append before the end was asked for: %v", err)
		}
		end, err := log.End(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.client.Write(ctx, kafka.Raw{Topic: log.cfg.Topic, Key: []byte("other"), Value: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Append(ctx, end, record(1)); !errors.Is(err, ErrStale) {
			t.Errorf("an append behind another's record: %v", err)
		}
		if end, err = log.End(ctx); err != nil {
			t.Fatal(err)
		}
		next, err := log.Append(ctx, end, record(2))
		if err != nil || next <= end {
			t.Fatalf("%d after %d: %v", next, end, err)
		}
		if _, err := log.Append(ctx, end, record(3)); !errors.Is(err, ErrStale) {
			t.Errorf("an append behind an older position: %v", err)
		}
		tool := openKafkaAs(t, KafkaConfig{Connect: cluster, Topic: log.cfg.Topic, Group: log.cfg.Group, Existing: true, Logger: quiet(t)})
		all, err := ReadAll(ctx, tool)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, e := range all {
			keys = append(keys, string(e.Key))
		}
		if got := strings.Join(keys, " "); strings.Contains(got, "s1") || strings.Contains(got, "s3") || !strings.Contains(got, "s2") {
			t.Errorf("in the log: %s", got)
		}
		if _, err := tool.Append(ctx, next, record(4)); !errors.Is(err, ErrNotLeader) {
			t.Errorf("a tool beside a registry: %v", err)
		}
	})
}

// TestALeaderThatWasPausedWritesNothing keeps an old leader in the belief that it leads, as one does
// that is stopped between its last look and its write.
func TestALeaderThatWasPausedWritesNothing(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		ctx, old := t.Context(), openKafka(t, cluster, "", "")
		old.sit(seat{leads: true, until: time.Now().Add(time.Hour)})
		end, err := old.End(ctx)
		if err != nil {
			t.Fatal(err)
		}
		heir := openKafka(t, cluster, old.cfg.Topic, old.cfg.Group)
		follow(t, heir)
		leads(t, heir)
		if _, err := heir.End(ctx); err != nil { // its barrier fences
			t.Fatal(err)
		}
		if _, err := old.Append(ctx, end, record(1)); !errors.Is(err, ErrNotLeader) {
			t.Errorf("the paused one wrote: %v", err)
		}
		now, err := heir.End(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := heir.Append(ctx, now, record(2)); err != nil {
			t.Errorf("the heir: %v", err)
		}
	})
}

// TestALeaseEndsBeforeTheSession lets a leader hear nothing of its group.
func TestALeaseEndsBeforeTheSession(t *testing.T) {
	t.Parallel()
	log := openKafka(t, Clusters["kfake"](t), "", "")
	log.sit(seat{leads: true, until: time.Now().Add(-time.Millisecond)})
	if _, self := log.Leader(); self {
		t.Error("it leads")
	}
	if _, err := log.Append(t.Context(), 0, record(1)); !errors.Is(err, ErrNotLeader) {
		t.Errorf("it writes: %v", err)
	}
}

// TestTheLowestURLWritesAndItsHeirFollows starts two registries and ends the one that writes.
func TestTheLowestURLWritesAndItsHeirFollows(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		first := openKafka(t, cluster, "", "")
		second := openKafka(t, cluster, first.cfg.Topic, first.cfg.Group)
		low, high := first, second
		if high.me.url() < low.me.url() {
			low, high = high, low
		}
		a, stop := startUntil(t, Config{Log: low})
		b := start(t, Config{Log: high})
		leads(t, low)
		register := func(s *Server, text string) string {
			status, got, _ := ask(t, s, "POST", "/subjects/s/versions", `{"schema":"{\"`+text+`\":false}"}`)
			return fmt.Sprint(status, " ", got)
		}
		if got := register(b, "a"); !strings.Contains(got, `"id":1,`) {
			t.Errorf("forwarded: %s", got)
		}
		if got := register(a, "a"); !strings.Contains(got, `"id":1,`) {
			t.Errorf("at the leader: %s", got)
		}
		stop()
		leads(t, high)
		if got := register(b, "b"); !strings.Contains(got, `"id":2,`) {
			t.Errorf("at the heir: %s", got)
		}
	})
}
