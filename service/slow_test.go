package service_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/service"
)

// pipes is a listener whose connections are in memory, so that they live in a bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Clients that are slow in each phase of a request are cut off when its time is over, and a body
// beyond the cap is refused: nobody holds a connection for ever.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	const post = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"
	for name, c := range map[string]struct {
		send  string // and then a byte each second
		reads bool   // the client reads the answer
		limit time.Duration
		want  string // first line of the answer; "": none
	}{
		"headers": {"POST /x HTTP/1.1\r\nA: ", true, 6 * time.Second, ""},
		"body":    {post, true, 31 * time.Second, "HTTP/1.1 500"},
		"answer":  {strings.Replace(post, "POST", "GET", 1) + strings.Repeat("x", 1000), false, 95 * time.Second, ""},
		"large":   {post + strings.Repeat("x", 1<<20+1), true, time.Second, "HTTP/1.1 413"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, err := service.NewHost(service.HostConfig{Logger: quiet(), Services: []service.Config{{Name: "till", Routes: routes(service.Routes{
					"POST /x": func(w http.ResponseWriter, r *http.Request) {
						_, err := io.Copy(io.Discard, r.Body)
						var large *http.MaxBytesError
						if errors.As(err, &large) {
							w.WriteHeader(http.StatusRequestEntityTooLarge)
						} else if err != nil {
							w.WriteHeader(http.StatusInternalServerError)
						}
					},
					"GET /x": func(w http.ResponseWriter, _ *http.Request) {
						for err := error(nil); err == nil; {
							_, err = w.Write(make([]byte, 64<<10))
						}
					},
				})}}})
				if err != nil {
					t.Fatal(err)
				}
				srv, conns := h.OpenServer(), make(pipes)
				go func() { _ = srv.Serve(conns) }()
				defer func() { close(conns); _ = srv.Close() }()
				client, accepted := net.Pipe()
				conns <- accepted
				began := time.Now()
				first := make(chan string, 1)
				if c.reads {
					go func() {
						line, _ := bufio.NewReader(client).ReadString('\n')
						first <- line
					}()
				}
				_, err = io.WriteString(client, c.send)
				for err == nil && time.Since(began) < 10*time.Minute {
					time.Sleep(time.Second)
					_, err = client.Write([]byte("x"))
				}
				if took := time.Since(began); took > c.limit {
					t.Errorf("the connection was held for %v, want at most %v", took, c.limit)
				}
				client.Close()
				if c.reads {
					if line := <-first; !strings.HasPrefix(line, c.want) || (c.want == "") != (line == "") {
						t.Errorf("answered %q, want %q", line, c.want)
					}
				}
			})
		})
	}
}
