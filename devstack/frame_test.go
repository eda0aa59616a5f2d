package devstack

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckRefusesWhatTheBrokerWouldNotSurvive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		head [headSize]byte
		ok   bool
	}{
		{"metadata version 12", [8]byte{0, 0, 0, 20, 0, 3, 0, 12}, true},
		{"largest", [8]byte{0x06, 0x40, 0, 0, 0, 0, 0, 9}, true},
		{"one byte over the largest", [8]byte{0x06, 0x40, 0, 1, 0, 0, 0, 9}, false},
		{"empty", [8]byte{0, 0, 0, 0, 0, 3, 0, 12}, false},
		{"shorter than a header", [8]byte{0, 0, 0, 7, 0, 3, 0, 12}, false},
		{"unknown key", [8]byte{0, 0, 0, 10, 0x7f, 0xff, 0, 0}, false},
		{"negative key", [8]byte{0, 0, 0, 10, 0xff, 0xff, 0, 0}, false},
		{"negative version", [8]byte{0, 0, 0, 20, 0, 3, 0xff, 0xff}, false},
		{"size with the sign bit", [8]byte{0x80, 0, 0, 0, 0, 3, 0, 12}, false},
		{"http", [8]byte([]byte("GET / HT")), false},
		{"tls", [8]byte{0x16, 0x03, 0x01, 0x02, 0, 1, 0, 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := parseHead(c.head).check(); (err == nil) != c.ok {
				t.Errorf("check says %v, want ok %v", err, c.ok)
			}
		})
	}
}

// wire is a connection that was sent some bytes and then closed; each read yields at most step.
type wire struct {
	net.Conn
	sent io.Reader
	step int
}

func (w *wire) Read(p []byte) (int, error) { return w.sent.Read(p[:min(len(p), w.step)]) }

func (w *wire) RemoteAddr() net.Addr { return address("client") }

// FuzzGuardedPassesWholeFramesUnchanged holds that what comes through is a prefix of what was sent,
// and that no frame comes through whose head is refused.
func FuzzGuardedPassesWholeFramesUnchanged(f *testing.F) {
	f.Add([]byte{0, 0, 0, 8, 0, 18, 0, 4, 0, 0, 0, 1}, 3)
	f.Add([]byte{0, 0, 0, 8, 0, 18, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 0, 0}, 100)
	f.Add(append([]byte{0, 0x10, 0, 0, 0, 0, 0, 9}, make([]byte, 1<<20)...), 4096)
	f.Fuzz(func(t *testing.T, sent []byte, step int) {
		c := &guarded{Conn: &wire{sent: bytes.NewReader(sent), step: max(step, 1)}, log: slog.New(slog.DiscardHandler)}
		got, err := io.ReadAll(c)
		if err == nil && len(got) != len(sent) {
			t.Fatalf("read %d of %d bytes without an error", len(got), len(sent))
		}
		if !bytes.HasPrefix(sent, got) {
			t.Fatalf("what came through is not what was sent:\n%s", cmp.Diff(sent, got))
		}
		for rest := got; len(rest) >= headSize; {
			h := parseHead([headSize]byte(rest))
			if err := h.check(); err != nil {
				t.Fatalf("%v came through", err)
			}
			if int64(len(rest)) < 4+h.size {
				if h.size >= wholeFrom {
					t.Fatalf("%d of a frame of %d bytes came through before it was whole", len(rest), h.size)
				}
				break
			}
			rest = rest[4+h.size:]
		}
	})
}

// A client that announces a large frame and sends nothing costs its announcement only.
func TestLargeFrameTakesMemoryOnlyAsItComes(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	c := &guarded{Conn: server, log: slog.New(slog.DiscardHandler)}
	shown := make(chan int, 1)
	go func() {
		n, _ := c.Read(make([]byte, headSize))
		shown <- n
	}()
	head := binary.BigEndian.AppendUint32(nil, maxFrame)
	if _, err := client.Write(append(head, 0, 0, 0, 9)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write(make([]byte, 1000)); err != nil { // the pipe takes it only if the guard reads on
		t.Fatal(err)
	}
	select {
	case n := <-shown:
		t.Fatalf("%d bytes of an unfinished frame of %d were shown to the broker", n, maxFrame)
	default:
	}
	client.Close()
	select {
	case n := <-shown:
		if n != 0 {
			t.Errorf("%d bytes of a broken frame were shown", n)
		}
	case <-time.After(time.Minute):
		t.Error("the reader did not notice that its client left")
	}
}
