package proxy_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/test/chaos/proxy"
)

// answering starts a server that answers every frame with its correlation id and its body.
func answering(t *testing.T) string {
	t.Helper()
	l := listen(t)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer c.Close()
				for {
					f, err := readFrame(c)
					if err != nil {
						return
					}
					if _, err := c.Write(frame(f[4:])); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, body)
	return body, err
}

// request is a frame as a client writes it.
func request(api proxy.API, correlation int32, client string, body string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(api))
	b = binary.BigEndian.AppendUint16(b, 5)
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = binary.BigEndian.AppendUint16(b, uint16(len(client)))
	return frame(append(append(b, client...), body...))
}

// start runs a proxy before a server, as brokers 1 and 2.
func start(t *testing.T, target string, kafka bool) (*proxy.Proxy, []string) {
	t.Helper()
	var routes []proxy.Route
	for id := range int32(2) {
		routes = append(routes, proxy.Route{Listen: "127.0.0.1:0", Target: target, Broker: id + 1, Kafka: kafka})
	}
	p, err := proxy.New(proxy.Config{Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the proxy ended with %v", err)
		}
	})
	return p, p.Addrs()
}

// caller is one connection of a client.
type caller struct {
	net.Conn
	name string
	n    int32
}

func dial(t *testing.T, addr, name string) *caller {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &caller{Conn: c, name: name}
}

// silence is how long a connection says nothing that is to say nothing; patience bounds the wait for one
// that is to say something, or to break.
const (
	silence  = 150 * time.Millisecond
	patience = time.Minute
)

var errSilent = errors.New("no answer")

// call sends a request and says what became of it.
func (c *caller) call(api proxy.API, body string) (time.Duration, error) {
	c.n++
	begun := time.Now()
	if _, err := c.Write(request(api, c.n, c.name, body)); err != nil {
		return 0, err
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	got, err := readFrame(c)
	if err != nil {
		return 0, err
	}
	if n := int32(binary.BigEndian.Uint32(got)); n != c.n || !strings.HasSuffix(string(got), body) {
		return 0, fmt.Errorf("asked %d %q, answered %d %q", c.n, body, n, got)
	}
	return time.Since(begun), nil
}

// fate says what comes of a request that is not to be answered: errSilent where its connection stays
// open, as want says, otherwise how it breaks.
func (c *caller) fate(api proxy.API, want error) error {
	wait := patience
	if errors.Is(want, errSilent) {
		wait = silence
	}
	c.n++
	if _, err := c.Write(request(api, c.n, c.name, "")); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(wait))
	_, err := readFrame(c)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errSilent
	}
	return err
}

func TestFramesPassWholeAndInOrder(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, answering(t), true)
	c := dial(t, addrs[0], "a")
	for i, body := range []string{"", "x", strings.Repeat("large", 100_000)} {
		if _, err := c.call(proxy.API(i), body); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // in one go
		c.n++
		if _, err := c.Write(request(proxy.Fetch, c.n, "a", "")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int32(100) {
		got, err := readFrame(c)
		if n := int32(binary.BigEndian.Uint32(got)); err != nil || n != c.n-99+i {
			t.Fatalf("answer %d is of %d: %v", i, n, err)
		}
	}
}

// A rule meets the frames that it names: by client, broker, api and side, and as often as it says.
func TestRulesPickExactlyTheirFrames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule proxy.Rule
		want error
	}{
		"a request is lost": {proxy.Rule{Side: proxy.Request, Act: proxy.Lose}, io.EOF},
		"a reply is lost":   {proxy.Rule{Side: proxy.Reply, Act: proxy.Lose}, io.EOF},
		"a request hangs":   {proxy.Rule{Side: proxy.Request, Act: proxy.Hang}, errSilent},
		"a reply hangs":     {proxy.Rule{Side: proxy.Reply, Act: proxy.Hang}, errSilent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, addrs := start(t, answering(t), true)
			c.rule.Client, c.rule.Broker, c.rule.APIs, c.rule.Times = "a", 1, []proxy.API{proxy.EndTxn}, 2
			lift := p.Apply(c.rule)
			for _, other := range []*caller{dial(t, addrs[0], "b"), dial(t, addrs[1], "a")} {
				if _, err := other.call(proxy.EndTxn, ""); err != nil {
					t.Errorf("%s: %v", other.name, err)
				}
			}
			for range 2 {
				a := dial(t, addrs[0], "a")
				if _, err := a.call(proxy.Produce, "before"); err != nil {
					t.Fatal(err)
				}
				if err := a.fate(proxy.EndTxn, c.want); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			}
			if _, err := dial(t, addrs[0], "a").call(proxy.EndTxn, "third"); err != nil {
				t.Errorf("twice is enough: %v", err)
			}
			if n := lift(); n != 2 {
				t.Errorf("%d frames were picked, want 2", n)
			}
		})
	}
}

func TestDelayHoldsAFrameAndThoseBehindIt(t *testing.T) {
	t.Parallel()
	p, addrs := start(t, answering(t), true)
	lift := p.Apply(proxy.Rule{APIs: []proxy.API{proxy.EndTxn}, Side: proxy.Reply, Act: proxy.Delay, For: silence})
	c := dial(t, addrs[0], "a")
	if took, err := c.call(proxy.EndTxn, ""); err != nil || took < silence {
		t.Errorf("answered after %v, %v", took, err)
	}
	if n := lift(); n != 1 {
		t.Errorf("%d frames were held, want 1", n)
	}
	if _, err := c.call(proxy.EndTxn, ""); err != nil {
		t.Errorf("after the rule was lifted: %v", err)
	}
}

func TestCutKeepsOneClientOffOneBroker(t *testing.T) {
	t.Parallel()
	for way, want := range map[proxy.Way]error{proxy.Refuse: io.EOF, proxy.Silent: errSilent} {
		p, addrs := start(t, answering(t), true)
		open := dial(t, addrs[0], "a")
		if _, err := open.call(proxy.Fetch, ""); err != nil {
			t.Fatal(err)
		}
		heal := p.Cut("a", 1, way)
		for _, c := range []*caller{open, dial(t, addrs[0], "a")} {
			if err := c.fate(proxy.Fetch, want); !errors.Is(err, want) && (way == proxy.Silent || err == nil) {
				t.Errorf("way %d: %v", way, err)
			}
		}
		for _, c := range []*caller{dial(t, addrs[0], "b"), dial(t, addrs[1], "a")} {
			if _, err := c.call(proxy.Fetch, ""); err != nil {
				t.Errorf("way %d: %s is cut off too: %v", way, c.name, err)
			}
		}
		heal()
		if _, err := dial(t, addrs[0], "a").call(proxy.Fetch, ""); err != nil {
			t.Errorf("way %d: not healed: %v", way, err)
		}
	}
}

// What is not Kafka passes as it is and is cut as a whole.
func TestOtherProtocolsPass(t *testing.T) {
	t.Parallel()
	l := listen(t)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }() // ends with the connection
		}
	}()
	p, addrs := start(t, l.Addr().String(), false)
	c := dial(t, addrs[0], "")
	echo := bufio.NewReader(c)
	say := func(text string) (string, error) {
		if _, err := io.WriteString(c, text); err != nil {
			return "", err
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		return echo.ReadString('\n')
	}
	if got, err := say("select 1\n"); err != nil || got != "select 1\n" {
		t.Fatalf("%q %v", got, err)
	}
	heal := p.Cut("", 1, proxy.Refuse)
	if got, err := say("x\n"); err == nil {
		t.Errorf("a cut connection says %q", got)
	}
	heal()
}

func TestWhatIsNoFrameEndsItsConnection(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, answering(t), true)
	for _, nonsense := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x02\x00\x00aaaaaaaaaaaa", "\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xffaaaa"} {
		c := dial(t, addrs[0], "")
		if _, err := io.WriteString(c, nonsense); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("%q is answered", nonsense)
		} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			t.Errorf("%q hangs", nonsense)
		}
	}
}

func TestNewRefusesWhatCanNotWork(t *testing.T) {
	t.Parallel()
	for _, r := range []proxy.Route{{Listen: "127.0.0.1:0"}, {Listen: "127.0.0.1:0", Target: "x"}, {Listen: "nonsense", Target: "x", Broker: 1}} {
		if _, err := proxy.New(proxy.Config{Routes: []proxy.Route{r}}); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}

// A client whose commit was heard and not answered finds its transaction committed, once.
func TestTheReplyToACommitIsLost(t *testing.T) {
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, "orders", 1, nil)
		var routes []proxy.Route
		for i, addr := range b.Addrs {
			routes = append(routes, proxy.Route{Listen: "127.0.0.1:0", Target: addr, Broker: int32(i + 1), Kafka: true})
		}
		p, err := proxy.New(proxy.Config{Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		defer func() { stop(); <-ended }()
		through := map[string]string{}
		for i, r := range routes {
			through[r.Target] = p.Addrs()[i]
		}
		cl := b.Client(t, kgo.TransactionalID(leattest.Name("txn")), kgo.ClientID("writer"),
			kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, through[addr])
			}))
		lift := p.Apply(proxy.Rule{Client: "writer", APIs: []proxy.API{proxy.EndTxn}, Side: proxy.Reply, Act: proxy.Lose, Times: 1})
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		paid := &kgo.Record{Topic: topic, Value: []byte("paid")}
		if err := errors.Join(cl.ProduceSync(ctx, paid).FirstErr(), kafka.AwaitTopic(ctx, cl, paid)); err != nil {
			t.Fatal(err)
		}
		ending := cl.EndTransaction(ctx, kgo.TryCommit)
		t.Logf("the commit without an answer came to %v", ending)
		if n := lift(); n != 1 {
			t.Errorf("%d replies were lost, want 1", n)
		}
		leattest.Eventually(t, "its marker is written", func() error { // Kafka answers to a commit before that
			if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != 1 {
				return fmt.Errorf("%d records are committed, want 1", len(got))
			}
			return nil
		})
	})
}
