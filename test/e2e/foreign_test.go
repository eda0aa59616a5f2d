package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// Named is an event of a topic that foreign clients write to as well.
type Named struct {
	Name string `json:"name"`
}

// EventType implements leat.Named.
func (Named) EventType() string { return "test.thing.named.v1" }

// EventKey implements leat.Keyed.
func (Named) EventKey() string { return "k" }

// What Java's client writes is handled or dead-lettered, and holds nothing up; what leat writes, Java
// reads.
func TestJavaClientsOnTheSameTopic(t *testing.T) {
	t.Parallel()
	classpath := javaClients(t)
	t.Run("kfake", func(t *testing.T) {
		t.Parallel()
		stack, err := devstack.Open(t.Context(), devstack.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stack.Close() })
		besideJava(t, classpath, stack.Brokers()[0])
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		besideJava(t, classpath, leattest.Need(t, "kafka"))
	})
}

// foreignDead is how many of Java's records are no events, foreignEvents how many are.
const foreignDead, foreignEvents = 5, 2

func besideJava(t *testing.T, classpath, brokers string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	topic := leat.Topic{Name: leattest.Name("foreign"), Carries: []any{Named{}}, Partitions: 2}
	cluster := kafka.Config{Brokers: strings.Split(brokers, ","), Logger: slog.New(slog.DiscardHandler)}
	client := broker.Open(t, cluster)
	group := leattest.Name("group")
	makeTopics(ctx, t, client, topic)
	letters, err := client.DeadLetterTopics(ctx, group, topic.Name)
	if err != nil {
		t.Fatal(err)
	}
	makeTopics(ctx, t, client, letters...)

	var mu sync.Mutex
	handled := map[string]bool{}
	g, err := consumer.New(consumer.Config{
		Group: group, Kafka: cluster, Logger: slog.New(slog.DiscardHandler),
		Handlers: []leat.Handler{consumer.On(topic, func(_ context.Context, e *leat.Event[Named]) error {
			mu.Lock()
			defer mu.Unlock()
			handled[e.Data.Name] = true
			return nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- g.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the consumer ended with %v", err)
		}
	})

	if got := runJava(ctx, t, classpath, "produce", brokers, topic.Name); got != "sent\n" {
		t.Fatalf("Java's producer said %q", got)
	}
	producer, err := client.Producer(kafka.ProducerConfig{Source: "e2e", Owns: []leat.Topic{topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	if err := producer.Send(ctx, Named{Name: "ours"}); err != nil { // behind the others of its key
		t.Fatal(err)
	}
	leattest.Within(t, 2*time.Minute, "Java's events and ours are handled", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(handled) != foreignEvents+1 || !handled["binary"] || !handled["structured"] || !handled["ours"] {
			return fmt.Errorf("handled so far: %v", handled)
		}
		return nil
	})
	leattest.Within(t, 2*time.Minute, "what is no event has its letters", func() error {
		dead := deadLetters(ctx, t, client, letters[0].Name)
		if dead[string(consumer.ReasonNotAnEvent)] != foreignDead || len(dead) != 1 {
			return fmt.Errorf("dead letters %v, want %d that are no events", dead, foreignDead)
		}
		return nil
	})

	read := runJava(ctx, t, classpath, "consume", brokers, topic.Name, fmt.Sprint(foreignDead+foreignEvents+1))
	for line := range strings.Lines(read) {
		if strings.Contains(line, `{"name":"ours"}`) {
			for _, want := range []string{"k {", "ce_type=test.thing.named.v1", "ce_source=e2e", "ce_specversion=1.0", "content-type=application/json"} {
				if !strings.Contains(line, want) {
					t.Errorf("Java read %q, want %q in it", line, want)
				}
			}
			return
		}
	}
	t.Errorf("Java did not read our event, only:\n%s", read)
}

// deadLetters counts the records that a topic has dead letters of, by reason.
func deadLetters(ctx context.Context, t *testing.T, client *kafka.Client, topic string) map[string]int {
	t.Helper()
	dead, seen := map[string]int{}, map[leat.Position]bool{}
	for w, err := range client.Tail(ctx, kafka.TailConfig{Topics: []string{topic}}) {
		if err != nil {
			t.Fatal(err)
		}
		var headers []leat.Header
		for name, value := range w.Headers() {
			headers = append(headers, leat.Header{Key: name, Value: value})
		}
		d, err := consumer.ParseDeadLetter(headers)
		if err != nil {
			t.Fatal(err)
		}
		if !seen[d.Source] {
			dead[string(d.Reason)]++
		}
		seen[d.Source] = true
	}
	return dead
}

func makeTopics(ctx context.Context, t *testing.T, client *kafka.Client, topics ...leat.Topic) {
	t.Helper()
	plan, err := client.PlanTopics(ctx, topics, kafka.PlanConfig{})
	if err == nil {
		err = plan.Apply(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// javaClients finds Java's Kafka client where the tests' Kafka lies, and a Java that runs sources.
func javaClients(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	jars, err := filepath.Glob(filepath.Join(cache, "leat", "kafka-*", "libs", "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(jars) == 0 {
		leattest.Missing(t, "kafka", "Java's client is not in the cache (make test fetches it)")
	}
	modules, err := exec.Command("java", "--list-modules").Output()
	if err != nil {
		leattest.Missing(t, "kafka", fmt.Sprintf("run java: %v", err))
	}
	if !strings.Contains(string(modules), "jdk.compiler") {
		t.Skip("this Java is a runtime without a compiler: it can't run a source file")
	}
	return strings.Join(jars, string(os.PathListSeparator))
}

func runJava(ctx context.Context, t *testing.T, classpath string, args ...string) string {
	t.Helper()
	argv := append([]string{"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath, "testdata/Foreign.java"}, args...)
	out, err := exec.CommandContext(ctx, "java", argv...).Output()
	if err != nil {
		exit, _ := errors.AsType[*exec.ExitError](err)
		if exit != nil {
			t.Fatalf("java %v: %v\n%s", args, err, exit.Stderr)
		}
		t.Fatalf("java %v: %v", args, err)
	}
	return string(out)
}
