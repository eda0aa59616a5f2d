package registry

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/kafka"
)

// slowness holds back what comes from Kafka.
type slowness struct{ atomic.Int64 }

type slowConn struct {
	net.Conn
	by *slowness
}

func (c slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if d := time.Duration(c.by.Load()); d > 0 && err == nil {
		<-time.After(d)
	}
	return n, err
}

// TestASlowKafkaMakesWritesSlowAndReadsNot holds each of Kafka's answers back, first so that writes take
// several times as long, then for longer than a write waits. Nothing that was answered is lost, nothing
// has two ids, and reads do not wait with the writes.
func TestASlowKafkaMakesWritesSlowAndReadsNot(t *testing.T) {
	eachCluster(t, func(t *testing.T, cluster kafka.Config) {
		var slow slowness
		through := cluster
		through.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dial := cluster.Dial
			if dial == nil {
				dial = (&net.Dialer{}).DialContext
			}
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return slowConn{conn, &slow}, nil
		}
		log := openKafka(t, through, "", "")
		s := start(t, Config{Log: log, LogTimeout: 5 * time.Second})
		leads(t, log)
		ids := map[string]string{}
		register := func(field string) (status int, answer string) {
			status, answer, _ = ask(t, s, "POST", "/subjects/s-"+field+"/versions", fmt.Sprintf(`{"schema":"{\"%s\":false}"}`, field))
			if _, rest, ok := strings.Cut(answer, `"id":`); status == 200 && ok {
				id, _, _ := strings.Cut(rest, ",")
				if old := ids[field]; old != "" && old != id {
					t.Errorf("%s has the ids %s and %s", field, old, id)
				}
				ids[field] = id
			}
			return status, answer
		}
		registers := func(field string) {
			t.Helper()
			eventually(t, field+" is registered", func() error {
				if status, answer := register(field); status != 200 {
					return fmt.Errorf("%d %s", status, answer)
				}
				return nil
			})
		}
		for n := range 10 {
			registers(fmt.Sprint("quick", n))
		}

		slow.Store(int64(150 * time.Millisecond))
		for n := range 4 {
			registers(fmt.Sprint("slow", n))
		}

		slow.Store(int64(7 * time.Second))         // more than a write waits, less than a session
		for try, reads := 1, 0; reads < 2; try++ { // not at the first one where the machine stood still for as long
			given := make(chan string, 1)
			go func() {
				status, answer := register(fmt.Sprint("late", try))
				given <- fmt.Sprint(status, " ", answer)
			}()
			late := ""
			for late == "" {
				if status, answer, _ := ask(t, s, "GET", "/schemas/ids/1", ""); status != 200 {
					t.Errorf("a read: %d %s", status, answer)
				}
				select {
				case late = <-given:
				case <-time.After(20 * time.Millisecond):
					reads++
				}
			}
			if !strings.HasPrefix(late, "500 ") || !strings.Contains(late, "5000") {
				t.Fatalf("a write for which Kafka is too slow: %s", late)
			}
			if reads < 2 && try == 5 {
				t.Fatalf("%d reads were answered before the write, each time", reads)
			}
		}

		slow.Store(0)
		registers("late1")
		for n := range 10 {
			registers(fmt.Sprint("again", n))
		}
		Audit(t, cluster, log.cfg.Topic, log.cfg.Group, ids)
	})
}
