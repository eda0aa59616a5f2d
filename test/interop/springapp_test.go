package interop

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

//go:embed testdata/spring/pom.xml
var springPOM []byte

// thing is the payload on both sides.
type thing struct {
	ID string `json:"id"`
}

// sight is an attempt of either side.
type sight struct {
	spring  bool
	id      string
	topic   string // in which the event was met; of leat its source
	attempt int
	at      time.Time
	story   url.Values // what Spring was told of attempts before
}

// sights are all attempts in their order.
type sights struct {
	mu  sync.Mutex
	all []sight
}

func (s *sights) add(one sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, one)
}

// of are the attempts of an event.
func (s *sights) of(id string) []sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(one sight) bool { return one.id != id })
}

// way says whether these are the attempts of an event: S1 S2 L3.
func (s *sights) way(id, want string) error {
	var got []string
	for _, one := range s.of(id) {
		got = append(got, one.who()+strconv.Itoa(one.attempt))
	}
	if way := strings.Join(got, " "); way != want {
		return fmt.Errorf("%s has the attempts %s, want %s", id, way, want)
	}
	return nil
}

// hands says whether an event went through these hands, and each attempt was made once.
func (s *sights) hands(id, want string) error {
	var got string
	for i, one := range s.of(id) {
		if one.attempt != i+1 {
			return fmt.Errorf("attempt %d of %s has the number %d", i+1, id, one.attempt)
		}
		if who := one.who(); !strings.HasSuffix(got, who) {
			got += who
		}
	}
	if got != want {
		return fmt.Errorf("%s went through the hands %s, want %s", id, got, want)
	}
	return nil
}

// tell logs all attempts of a test that has failed.
func (s *sights) tell(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		t.Logf("%s %s%d %s of %s %v", one.at.Format("05.000"), one.who(), one.attempt, one.id, one.topic, one.story)
	}
}

func (s sight) who() string {
	if s.spring {
		return "S"
	}
	return "L"
}

// springApp is an application of Spring's that is started and stopped while its JVM runs on.
type springApp struct {
	p    *peer
	said chan string // closed with its JVM
}

func startSpring(t *testing.T, b *broker.Broker, seen *sights) *springApp {
	t.Helper()
	java, classpath, err := server.Java(t.Context(), "interop-spring-1", springPOM)
	if err != nil {
		leattest.Missing(t, "java", err.Error())
	}
	app := &springApp{said: make(chan string, 1)}
	var reading sync.WaitGroup
	t.Cleanup(reading.Wait)
	app.p = start(t, java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", classpath, "testdata/spring/Spring.java", strings.Join(b.Addrs, ","))
	reading.Go(func() {
		defer close(app.said)
		for {
			line, err := app.p.out.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			if !strings.Contains(line, "=") {
				app.said <- line
				continue
			}
			seen.add(parseSight(line))
		}
	})
	return app
}

// parseSight reads what Spring says of an attempt.
func parseSight(line string) sight {
	story, _ := url.ParseQuery(line) // what is missing fails where it is wanted
	var v thing
	_ = json.Unmarshal([]byte(story.Get("value")), &v)
	attempt, _ := strconv.Atoi(story.Get("attempt"))
	now, _ := strconv.ParseInt(story.Get("now"), 10, 64)
	return sight{true, v.ID, story.Get("topic"), attempt, time.UnixMilli(now), story}
}

// do gives an order and waits until it is carried out.
func (a *springApp) do(t *testing.T, order, want string) {
	t.Helper()
	if _, err := fmt.Fprintln(a.p.in, order); err != nil {
		t.Fatalf("order %s: %v", order, err)
	}
	select {
	case got := <-a.said:
		if got != want {
			t.Fatalf("Spring answers %q to %s, want %s", got, order, want)
		}
	case <-time.After(3 * time.Minute):
		t.Fatalf("Spring does not answer to %s", order)
	}
}

// runLeat runs the group on leat's side until the function that it returns is called. Where held is not nil,
// what is to fail and has a retry topic is in hand until then: it is passed on by a group that ends, and
// whoever comes next makes the next attempt.
func (w *springWorld) runLeat(t *testing.T, fails string, held chan struct{}) (stop func()) {
	t.Helper()
	cfg := consumer.Config{
		Group: w.group, Kafka: w.b.Config(), CommitInterval: 100 * time.Millisecond, DrainTimeout: 2 * time.Minute,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, s := range w.topics {
		cfg.Handlers = append(cfg.Handlers, consumer.On(s.topic, func(_ context.Context, e *leat.Event[thing]) error {
			id := e.Data.ID
			if e.Header("kafka_dlt-original-topic") == w.prefix+".plain" {
				id = "from plain-dlt"
			}
			w.seen.add(sight{id: id, topic: e.Position().Topic, attempt: e.Attempt(), at: time.Now()})
			if strings.Contains(id, fails) {
				if held != nil && len(s.options) > 0 {
					<-held
				}
				return errNoLuck
			}
			return nil
		}, s.options...))
	}
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }() // ends in stop
	stop = sync.OnceFunc(func() {
		cancel()
		if held != nil {
			close(held)
		}
		if err := <-ended; err != nil {
			t.Errorf("the group ended: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

var errNoLuck = errors.New("no luck")
