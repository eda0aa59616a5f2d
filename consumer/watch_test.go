package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// link is a member's network. It can be cut, mended, and made to lose what the brokers answer.
type link struct {
	b     *broker.Broker
	name  string // of its client
	mu    sync.Mutex
	conns map[*wire]struct{}
	cut   bool
	lossy bool
	lost  int
}

func newLink(b *broker.Broker) *link {
	return &link{b: b, name: b.Name("link"), conns: map[*wire]struct{}{}}
}

// through puts a member behind the link.
func (l *link) through(cfg consumer.Config) consumer.Config {
	cfg.Kafka.Dial, cfg.Kafka.ClientID = l.dial, l.name
	return cfg
}

// living is a handler of which nothing takes effect once the link is cut. It must not wait for anything.
func (l *link) living(fn func(context.Context, *leat.Event[Placed]) error) func(context.Context, *leat.Event[Placed]) error {
	return func(ctx context.Context, e *leat.Event[Placed]) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.cut {
			return leat.Unavailable(errors.New("dead"))
		}
		return fn(ctx, e)
	}
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut {
		return nil, errors.New("the link is cut")
	}
	dial := l.b.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[w] = struct{}{}
	return w, nil
}

// die cuts the link, and ends the membership of who is behind it as the end of its session would.
func (r *rig) die(l *link) {
	r.t.Helper()
	l.sever()
	r.bury(func(m kadm.DescribedGroupMember) bool { return m.ClientID == l.name })
}

// bury takes the dead out of the group on real Kafka. In a bubble the end of their sessions costs no time.
func (r *rig) bury(dead func(kadm.DescribedGroupMember) bool) {
	r.t.Helper()
	if !r.b.Real() {
		return
	}
	cl, buried := r.b.Client(r.t), map[string]bool{}
	leattest.Eventually(r.t, "the dead are known", func() error {
		members, err := r.membersOf(cl)
		for _, m := range members {
			buried[m.MemberID] = dead(m)
		}
		return err
	})
	leattest.Eventually(r.t, "the dead are out of the group", func() error {
		members, err := r.membersOf(cl)
		for _, m := range members {
			if buried[m.MemberID] {
				err = errors.Join(fmt.Errorf("%s is in it", m.MemberID), r.takeOut(cl, m))
			}
		}
		return err
	})
}

// membersOf are the group's members, as its coordinator knows them.
func (r *rig) membersOf(cl *kgo.Client) (members []kadm.DescribedGroupMember, err error) {
	adm := kadm.NewClient(cl)
	if r.protocol != "consumer" {
		groups, err := adm.DescribeGroups(r.t.Context(), r.group)
		return groups[r.group].Members, errors.Join(err, groups.Error())
	}
	groups, err := adm.DescribeConsumerGroups(r.t.Context(), r.group)
	for _, m := range groups[r.group].Members {
		members = append(members, kadm.DescribedGroupMember{MemberID: m.MemberID, ClientID: m.ClientID, InstanceID: m.InstanceID})
	}
	return members, errors.Join(err, groups[r.group].Err)
}

// takeOut says for a member that it leaves.
func (r *rig) takeOut(cl *kgo.Client, m kadm.DescribedGroupMember) error {
	if r.protocol == "consumer" {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch = r.group, m.MemberID, -1
		_, err := req.RequestWith(r.t.Context(), cl)
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	gone := kmsg.NewLeaveGroupRequestMember()
	req.Group, req.MemberID, gone.MemberID, gone.InstanceID = r.group, m.MemberID, m.MemberID, m.InstanceID
	req.Members = append(req.Members, gone)
	_, err := req.RequestWith(r.t.Context(), cl)
	return err
}

// sever cuts the link, as a dead machine does; mend brings it back.
func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for w := range l.conns {
		_ = w.Close()
	}
	clear(l.conns)
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// loseOne makes the link lose answers, with their connections, until one is lost.
func (l *link) loseOne(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	before := l.lost
	l.lossy = true
	l.mu.Unlock()
	leattest.Eventually(t, "an answer is lost", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lost == before {
			return errors.New("not yet")
		}
		l.lossy = false
		return nil
	})
}

type wire struct {
	net.Conn
	link *link
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.link.mu.Lock()
	defer w.link.mu.Unlock()
	if w.link.lossy && n > 0 {
		w.link.lost++
		_ = w.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// auditor samples the group's offsets while a test runs. It finds a commit that goes back, and one
// that passes a record that is not finished.
type auditor struct {
	mu       sync.Mutex
	finished map[int32]map[int64]bool
	faults   []string
	samples  int
}

// audit watches r's group until stop, which reports what it found.
func (r *rig) audit() (a *auditor, stop func()) {
	a = &auditor{finished: map[int32]map[int64]bool{}}
	cl := r.b.Client(r.t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { a.watch(ctx, kadm.NewClient(cl), r.group, r.topic.Name) })
	return a, func() {
		r.t.Helper()
		cancel()
		wg.Wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, f := range a.faults {
			r.t.Error(f)
		}
		if a.samples == 0 {
			r.t.Error("the auditor saw no offsets")
		}
	}
}

// done says that a record is finished.
func (a *auditor) done(partition int32, offset int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finished[partition] == nil {
		a.finished[partition] = map[int64]bool{}
	}
	a.finished[partition][offset] = true
}

func (a *auditor) watch(ctx context.Context, adm *kadm.Client, group, topic string) {
	highest, checked := map[int32]int64{}, map[int32]int64{}
	for ctx.Err() == nil {
		offsets, err := adm.FetchOffsets(ctx, group)
		if err == nil {
			a.mu.Lock()
			for p, o := range offsets[topic] {
				if o.Err != nil || o.At < 0 {
					continue
				}
				a.samples++
				if o.At < highest[p] {
					a.faults = append(a.faults, fmt.Sprintf("partition %d: offset went back from %d to %d", p, highest[p], o.At))
				}
				highest[p] = max(highest[p], o.At)
				for ; checked[p] < o.At; checked[p]++ {
					if !a.finished[p][checked[p]] {
						a.faults = append(a.faults, fmt.Sprintf("partition %d: committed %d, but %d is not finished", p, o.At, checked[p]))
					}
				}
			}
			a.mu.Unlock()
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// soundPerKey checks that each key's events 0..n-1 all took effect, first effects in order, and that
// a repeat is followed by all that came after it: what at least once in order means.
func (l *ledger) soundPerKey(t *testing.T, keys, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.byKey) != keys {
		t.Errorf("%d keys, want %d", len(l.byKey), keys)
	}
	for key, list := range l.byKey {
		next := 0
		for i, got := range list {
			if got > next {
				t.Errorf("key %s: effect %d is %d, but %d has not been: %v", key, i, got, next, list)
				break
			}
			next = got + 1 // a repeat starts over from there
		}
		if next != n {
			t.Errorf("key %s: ends with %d, want %d: %v", key, next-1, n-1, list)
		}
	}
}

// complete checks that each key's events 0..n-1 all took effect, and for the first time in order.
// While a member that lost its session does not know it yet, its effects and its heir's mix.
func (l *ledger) complete(t *testing.T, keys, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.byKey) != keys {
		t.Errorf("%d keys, want %d", len(l.byKey), keys)
	}
	for key, list := range l.byKey {
		next := 0
		for i, got := range list {
			if got > next {
				t.Errorf("key %s: effect %d is %d, but %d has not been: %v", key, i, got, next, list)
				break
			}
			next = max(next, got+1)
		}
		if next != n {
			t.Errorf("key %s: %d events, want %d: %v", key, next, n, list)
		}
	}
}
