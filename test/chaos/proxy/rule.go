package proxy

import (
	"slices"
	"time"
)

// Side is a direction.
type Side int

// The sides of a conversation.
const (
	Request Side = iota // from the client to the server
	Reply
)

// Act is what happens to a frame that a Rule picks.
type Act int

// The acts.
const (
	Delay Act = iota // it is held for Rule.For
	Lose             // it is lost, and its connection breaks
	Hang             // it is lost, and its connection stays open and silent, until the rule is lifted
)

// Rule picks frames of Kafka connections and says what happens to them.
type Rule struct {
	Client string        // client id; "": every client's
	Broker int32         // 0: every broker's
	APIs   []API         // none: every kind
	Side   Side          // requests or replies
	Act    Act           // what happens
	For    time.Duration // of Delay
	Times  int           // how many frames; 0: all until it is lifted
}

func (r *Rule) picks(client string, broker int32, api API, side Side) bool {
	return r.Side == side && (r.Client == "" || r.Client == client) && (r.Broker == 0 || r.Broker == broker) &&
		(len(r.APIs) == 0 || slices.Contains(r.APIs, api))
}

// applied is a rule at work.
type applied struct {
	Rule
	hits   int
	lifted chan struct{}
}

// Way is how a Cut keeps a client off.
type Way int

// The ways.
const (
	Refuse Way = iota // connections break, and new ones are closed
	Silent            // connections stay open and carry nothing: half open
)

// cut is a client off a server.
type cut struct {
	client string
	route  int32
	way    Way
	healed chan struct{}
}

// Apply puts a rule to work until lift is called; lift returns how many frames it has picked.
func (p *Proxy) Apply(r Rule) (lift func() int) {
	a := &applied{Rule: r, lifted: make(chan struct{})}
	p.mu.Lock()
	p.rules = append(p.rules, a)
	p.mu.Unlock()
	return func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.rules, a); i >= 0 {
			p.rules = slices.Delete(p.rules, i, i+1)
			close(a.lifted)
		}
		return a.hits
	}
}

// Cut keeps a client ("": everybody) off a route (0: every route of Kafka; Route.Broker names one)
// until heal is called.
func (p *Proxy) Cut(client string, route int32, way Way) (heal func()) {
	c := &cut{client: client, route: route, way: way, healed: make(chan struct{})}
	p.mu.Lock()
	p.cuts = append(p.cuts, c)
	var broken []*conn
	for talk := range p.talks {
		if c.keeps(talk) {
			broken = append(broken, talk)
		}
	}
	p.mu.Unlock()
	for _, talk := range broken {
		if way == Refuse {
			talk.close()
		}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.cuts, c); i >= 0 {
			p.cuts = slices.Delete(p.cuts, i, i+1)
			close(c.healed)
		}
	}
}

// keeps says whether the connection is one that the cut is about.
func (c *cut) keeps(talk *conn) bool {
	if c.route == 0 && !talk.route.Kafka || c.route != 0 && c.route != talk.route.Broker {
		return false
	}
	return c.client == "" || c.client == talk.client
}

// pick finds the first rule for a frame and counts it.
func (p *Proxy) pick(talk *conn, api API, side Side) *applied {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.rules {
		if (a.Times == 0 || a.hits < a.Times) && a.picks(talk.client, talk.route.Broker, api, side) {
			a.hits++
			return a
		}
	}
	return nil
}

// off finds the cut that keeps a connection off, if there is one.
func (p *Proxy) off(talk *conn) *cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.cuts {
		if c.keeps(talk) {
			return c
		}
	}
	return nil
}
