package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// The delays of Spring.java. An event has to wait while one side stops and the other starts, on a machine
// that may stand still meanwhile; and the last delay has to outlast two of the equal ones.
const (
	soon       = 400 * time.Millisecond
	equalDelay = 10 * time.Second
	lastDelay  = 100 * soon
)

// springTopic is a listener of Spring.java, as leat has it.
type springTopic struct {
	name    string
	topic   leat.Topic
	options []leat.HandlerOption
}

func springTopics(prefix string) []springTopic {
	listener := func(name string, spring leat.SpringRetries, delays ...time.Duration) springTopic {
		s := springTopic{name: name, topic: leat.Topic{Name: prefix + "." + name, Foreign: leat.KindOf[thing]("legacy.thing", nil)}}
		if len(delays) > 0 {
			s.options = []leat.HandlerOption{
				consumer.Unordered(), consumer.WithRetry(leat.Retry{Attempts: 1}),
				consumer.RetryTopics(leat.RetryTopics{Delays: delays, Spring: &spring}),
			}
		}
		return s
	}
	return []springTopic{
		listener("delays", leat.SpringRetries{}, soon, 10*soon, lastDelay),
		listener("equal", leat.SpringRetries{}, equalDelay, equalDelay),
		listener("numbers", leat.SpringRetries{Suffixes: []string{"-retry-0", "-retry-1", "-retry-1"}}, soon, equalDelay, equalDelay),
		listener("plain", leat.SpringRetries{}),
		listener("plain-dlt", leat.SpringRetries{}), // what the recoverer writes, as a source
	}
}

// springWorld is both sides on one cluster.
type springWorld struct {
	b             *broker.Broker
	prefix, group string
	topics        []springTopic
	seen          *sights
	app           *springApp
}

// TestSpring has an application of Spring Kafka's on the other side, with @RetryableTopic and with
// DeadLetterPublishingRecoverer, in the same group: what waits changes hands in both directions, and so
// does what Spring has given up.
func TestSpring(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a JVM: not in short runs")
	}
	b := broker.Real(t)
	w := &springWorld{b: b, prefix: b.Name("spring"), group: b.Name("group"), seen: &sights{}}
	w.topics = springTopics(w.prefix)
	for _, s := range w.topics {
		b.CreateTopic(t, s.topic.Name, 2, nil)
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.seen.tell(t)
		}
	})
	w.app = startSpring(t, b, w.seen)
	w.springBegins(t)
	w.leatTakesOver(t)
	w.leatBegins(t)
	w.springTakesOver(t)
	w.leatEnds(t)
}

// send writes an event to each topic that Spring listens to.
func (w *springWorld) send(t *testing.T, names ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, name := range names {
		for i, s := range w.topics[:4] {
			records = append(records, &kgo.Record{
				Topic: s.topic.Name, Partition: 1, Key: []byte("key"), Value: fmt.Appendf(nil, `{"id":"%s-%s"}`, name, s.name),
				Headers: []kgo.RecordHeader{{Key: "own", Value: []byte("x")}}, Timestamp: sentAt.Add(time.Duration(i) * time.Hour),
			})
		}
	}
	client := w.b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// sentAt is long ago, so that nobody takes the time of another record for it.
var sentAt = time.UnixMilli(1_700_000_000_123)

// await waits until events have been tried in this way: "early-delays: S1 S2 L3" by just these attempts,
// Spring's and leat's; "early-delays SL" by one each of 1, 2, 3 ..., first by Spring, then by leat.
func (w *springWorld) await(t *testing.T, what string, ways ...string) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, what, func() (err error) {
		for _, way := range ways {
			if id, attempts, exact := strings.Cut(way, ": "); exact {
				err = errors.Join(err, w.seen.way(id, attempts))
			} else {
				id, hands, _ := strings.Cut(way, " ")
				err = errors.Join(err, w.seen.hands(id, hands))
			}
		}
		return err
	})
}

// springBegins lets Spring fail until something waits in each retry topic, and something is given up.
func (w *springWorld) springBegins(t *testing.T) {
	w.send(t, "early", "doomed", "bad")
	w.app.do(t, "start id "+w.prefix+" "+w.group, "started") // everything has an id
	w.await(t, "Spring has tried", "early-delays: S1 S2 S3", "doomed-delays: S1 S2 S3", "bad-plain: S1 S1")
	w.send(t, "late")
	w.await(t, "Spring has tried what came late", "late-delays S", "late-equal S", "late-numbers S", "late-plain: S1 S1")
	w.app.do(t, "stop", "stopped")
}

// leatTakesOver goes on with all of it; what is doomed fails here too. What has been given up is
// adopted and given back.
func (w *springWorld) leatTakesOver(t *testing.T) {
	for topic, want := range map[string]int{"delays-dlt": 1, "plain-dlt": 4} {
		if got := w.letters(t, "adopt", w.prefix+"."+topic, "--group", w.group, "--yes"); len(got) != want {
			t.Fatalf("%d letters of %s are adopted, want %d: %+v", len(got), topic, want, got)
		}
	}
	own := w.letters(t, "list", w.prefix+".delays", "--group", w.group)
	if len(own) != 1 {
		t.Fatalf("letters %+v, want one", own)
	}
	want := letterSeen{Source: w.prefix + ".delays/1@2", Group: w.group, Reason: "exhausted", Error: "Listener failed; not to be tried again", Attempts: 1, State: "open", Timestamp: sentAt.UTC()}
	if diff := cmp.Diff(want, own[0]); diff != "" {
		t.Errorf("the letter (-want +got):\n%s", diff)
	}
	if text := w.leat(t, "dlq", "show", own[0].Source); !strings.Contains(text, "ListenerExecutionFailedException") || !strings.Contains(text, "own=x") || strings.Contains(text, "kafka_") {
		t.Errorf("it is shown as:\n%s", text)
	}
	w.leat(t, "dlq", "redrive", w.prefix+".delays", "--group", w.group, "--yes")
	w.leat(t, "dlq", "redrive", w.prefix+".plain", "--group", w.group, "--source", w.prefix+".plain/1@0", "--yes")

	stop := w.runLeat(t, "doomed", nil)
	w.await(t, "leat has gone on", "early-delays: S1 S2 S3 L4", "doomed-delays: S1 S2 S3 L4", "bad-delays: S1 L1",
		"late-delays SL", "late-equal SL", "late-numbers SL", "early-plain: S1 S1 L1", "from plain-dlt: L1 L1 L1 L1")
	leattest.Within(t, time.Minute, "what was given back is handled, and what is doomed is dead", func() error {
		all := w.letters(t, "list", w.prefix+".delays", "--group", w.group)
		if len(all) != 2 || all[0].State != "handled" || all[1].Source != w.prefix+".delays/1@1" || all[1].Attempts != 4 || all[1].Error != errNoLuck.Error() {
			return fmt.Errorf("letters %+v", all)
		}
		return nil
	})
	stop()
	if s := w.seen.of("early-delays"); s[3].at.Before(s[2].at.Add(lastDelay)) {
		t.Errorf("leat has tried it again %v after Spring, want %v", s[3].at.Sub(s[2].at), lastDelay)
	}
}

// leatBegins lets leat fail once with each event, at its end.
func (w *springWorld) leatBegins(t *testing.T) {
	stop := w.runLeat(t, "mine", make(chan struct{}))
	w.send(t, "mine", "mine-too")
	for _, name := range []string{"mine", "mine-too"} {
		w.await(t, "leat tries", name+"-delays: L1", name+"-equal: L1", name+"-numbers: L1")
	}
	stop()
	for topic, id := range map[string]string{"delays-retry-400": "mine-too-delays", "equal-retry": "mine-too-equal", "numbers-retry-0": "mine-too-numbers"} {
		leattest.Within(t, time.Minute, id+" waits", func() error {
			for _, r := range w.b.ReadAll(t, w.prefix+"."+topic, kgo.ReadCommitted()) {
				if bytes.Contains(r.Value, []byte(id)) {
					return nil
				}
			}
			return errors.New("it does not")
		})
	}
}

// springTakesOver goes on with it, and is told what it would have said itself.
func (w *springWorld) springTakesOver(t *testing.T) {
	w.app.do(t, "start too "+w.prefix+" "+w.group, "started")
	w.await(t, "Spring has gone on", "mine-delays LS", "mine-too-delays LS", "mine-equal LS", "mine-numbers LS", "mine-too-equal: L1 S2 S3")
	w.app.do(t, "stop", "stopped")
	for i, name := range []string{"delays", "equal", "numbers"} {
		for _, s := range w.seen.of("mine-" + name) {
			if !s.spring {
				continue
			}
			ms := strconv.FormatInt(sentAt.Add(time.Duration(i)*time.Hour).UnixMilli(), 10)
			for header, want := range map[string]string{
				"source": w.prefix + "." + name + "/1@4", "timestamp": ms, "first": ms, "type": "CreateTime", "group": w.group, "error": errNoLuck.Error(), "key": "key",
			} {
				if got := s.story.Get(header); got != want {
					t.Errorf("Spring is told of mine-%s that its %s is %q, want %q", name, header, got, want)
				}
			}
			due, err := strconv.ParseInt(s.story.Get("due"), 10, 64)
			if failed := w.seen.of("mine-" + name)[s.attempt-2].at; err != nil || time.UnixMilli(due).Before(failed) || s.at.Before(time.UnixMilli(due)) {
				t.Errorf("mine-%s has failed at %v, is due at %v (%v) and was tried at %v", name, failed, due, err, s.at)
			}
		}
	}
}

// leatEnds takes back what Spring has passed on or given up of leat's events.
func (w *springWorld) leatEnds(t *testing.T) {
	adopted := w.letters(t, "adopt", w.prefix+".equal-dlt", "--group", w.group, "--yes")
	i := len(adopted) - 1
	if i < 0 || adopted[i].Source != w.prefix+".equal/1@5" || adopted[i].Attempts != 3 || adopted[i].First.IsZero() {
		t.Errorf("adopted %+v, want the last after three attempts, two of them Spring's", adopted)
	}
	stop := w.runLeat(t, "nothing", nil)
	defer stop()
	w.await(t, "leat has what Spring has passed on", "mine-too-delays LSL")
}

// letterSeen is what the command line says of a letter.
type letterSeen struct {
	Source    string    `json:"source"`
	Group     string    `json:"group"`
	Reason    string    `json:"reason"`
	Error     string    `json:"error"`
	Attempts  int       `json:"attempts"`
	State     string    `json:"state"`
	Timestamp time.Time `json:"source_timestamp"`
	First     time.Time `json:"first_failure"`
}

func (w *springWorld) letters(t *testing.T, args ...string) (letters []letterSeen) {
	t.Helper()
	text := w.leat(t, append([]string{"dlq", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &letters); err != nil {
		t.Fatalf("%v says %s: %v", args, text, err)
	}
	return letters
}

// leat runs a command.
func (w *springWorld) leat(t *testing.T, args ...string) string {
	t.Helper()
	var out, talk bytes.Buffer
	args = append(args, "--brokers", strings.Join(w.b.Addrs, ","))
	if code := cli.Run(t.Context(), cli.Config{Args: args, Environ: []string{}, Stdout: &out, Stderr: &talk}); code != 0 {
		t.Fatalf("leat %v: status %d: %s", args, code, &talk)
	}
	return out.String()
}
