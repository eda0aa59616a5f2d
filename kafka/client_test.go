package kafka_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

func TestOpenKnowsTheCluster(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		c := open(t, b)
		if c.ClusterID() == "" || c.Embedded() {
			t.Errorf("cluster id %q, embedded %v", c.ClusterID(), c.Embedded())
		}
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
	b := broker.Fake(t, broker.FakeConfig{Opts: []kfake.Opt{kfake.ClusterID(kafka.EmbeddedPrefix + "1")}})
	if !open(t, b).Embedded() {
		t.Error("an embedded broker is not known by its cluster id")
	}
}

// openFails opens in vain and returns what it says.
func openFails(t *testing.T, cfg kafka.Config) string {
	t.Helper()
	c, err := kafka.Open(t.Context(), cfg)
	if err == nil {
		c.Close()
		t.Fatal("it opened")
	}
	if e, ok := errors.AsType[*kafka.Error](err); !ok || e.Hint == "" {
		t.Errorf("%v gives no hint", err)
	}
	return err.Error()
}

// refused is openFails where somebody answers: a machine that stood still is asked again.
func refused(t *testing.T, cfg kafka.Config) (said string) {
	t.Helper()
	leattest.Within(t, 2*time.Minute, "there is an answer", func() error {
		if said = openFails(t, cfg); strings.Contains(said, "no answer within 10 s") {
			return errors.New(said)
		}
		return nil
	})
	return said
}

func wants(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(said, p) {
			t.Errorf("%q is missing in: %s", p, said)
		}
	}
}

func TestOpenSaysWhatIsWrongAndWhatToTry(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:1" // of a port that nobody is given
	wants(t, refused(t, kafka.Config{Brokers: []string{address}}), "reach Kafka at "+address, "nothing listens there", "leat dev")
	unknown := func(context.Context, string, string) (net.Conn, error) { // without the machine's name server, which may be away
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "no-such-host.invalid", IsNotFound: true}}
	}
	wants(t, refused(t, kafka.Config{Brokers: []string{"no-such-host.invalid:9092"}, Dial: unknown}), "no-such-host.invalid", "is not known here")

	hangsUp := listen(t, func(c net.Conn) { c.Close() })
	wants(t, refused(t, kafka.Config{Brokers: []string{hangsUp}}), "hung up", "may want TLS")

	web := listen(t, func(c net.Conn) {
		buf := make([]byte, 1024)
		_, _ = c.Read(buf)
		_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request"))
		c.Close()
	})
	wants(t, refused(t, kafka.Config{Brokers: []string{web}}), "reach Kafka at")
	wants(t, refused(t, kafka.Config{Brokers: []string{web}, TLS: kafka.TLSConfig{Enabled: true}}), "does not speak TLS", "security.protocol")
}

// A broker that takes the connection and says nothing: in a bubble the ten seconds cost no time.
func TestOpenGivesUpAfterTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				buf := make([]byte, 1024)
				for {
					if _, err := theirs.Read(buf); err != nil {
						return
					}
				}
			}()
			return ours, nil
		}
		began := time.Now()
		wants(t, openFails(t, kafka.Config{Brokers: []string{"silent:9092"}, Dial: silent}), "no answer within 10 s", "check host and port")
		if d := time.Since(began); d < 9*time.Second || d > 12*time.Second {
			t.Errorf("gave up after %v", d)
		}
	})
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}
