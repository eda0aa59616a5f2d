package main

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/test/chaos/proxy"
)

// Kind is a kind of fault.
type Kind string

// The kinds of fault.
const (
	Kill        Kind = "kill"         // kill -9 of one of a service's processes, with work in hand; it starts again
	KillWriter  Kind = "kill-writer"  // the same of a writer, in its transactions
	Freeze      Kind = "freeze"       // SIGSTOP of a service's process, then SIGCONT
	FreezeWrite Kind = "freeze-write" // the same of a writer
	KillBroker  Kind = "kill-broker"  // kill -9 of the broker that leads a partition; it starts again
	StopBroker  Kind = "stop-broker"  // SIGSTOP of the broker that leads a partition, then SIGCONT
	KillDB      Kind = "kill-db"      // kill -9 of PostgreSQL
	RestartDB   Kind = "restart-db"   // PostgreSQL stopped as an administrator does
	FillDB      Kind = "fill-db"      // PostgreSQL's disk is full for a while
	CutDB       Kind = "cut-db"       // a process is cut off PostgreSQL
	Cut         Kind = "cut"          // a process is cut off a broker
	Lose        Kind = "lose"         // single requests or replies are lost
	Slow        Kind = "slow"         // single requests or replies are late
)

// Ended is what is no fault of a schedule: a process ended by itself, and was started again.
const Ended Kind = "ended"

// Step is one fault of a schedule.
type Step struct {
	At     time.Duration // since the load began
	Kind   Kind
	Target string        `json:",omitempty"` // a service (payment: whichever process is at work), a process (payment-1, writer-2), or the partition (shop.orders/3) whose leader it is
	For    time.Duration // how long: until the process starts again, goes on, or the way is free
	Broker int32         `json:",omitempty"` // Cut: which; 0: all
	Silent bool          `json:",omitempty"` // the connection hangs half open, in place of breaking
	APIs   []proxy.API   `json:",omitempty"` // Lose, Slow: which
	Reply  bool          `json:",omitempty"` // Lose, Slow: replies, in place of requests
	Times  int           `json:",omitempty"` // Lose: how many
}

func (s Step) String() string {
	text := fmt.Sprintf("%v %s %s for %v", s.At.Round(time.Millisecond), s.Kind, cmp.Or(s.Target, "anybody"), s.For.Round(time.Millisecond))
	switch s.Kind {
	case Cut:
		text += fmt.Sprintf(" broker %d", s.Broker)
	case Lose, Slow:
		text += fmt.Sprintf(" api %v", s.APIs)
		if s.Reply {
			text += " replies"
		} else {
			text += " requests"
		}
	}
	if s.Silent {
		text += " silent"
	}
	return text
}

// Profile is how often each fault comes, and how soon one after the other.
type Profile struct {
	Every  time.Duration // between two faults, on average
	Weight map[Kind]int
	Short  bool // faults are short, so that a short run drains soon
}

var profiles = map[string]Profile{
	"mixed": {Every: 2500 * time.Millisecond, Weight: map[Kind]int{
		Kill: 40, KillWriter: 8, Freeze: 6, FreezeWrite: 3, KillBroker: 4, StopBroker: 2,
		KillDB: 2, RestartDB: 1, FillDB: 1, CutDB: 4, Cut: 8, Lose: 16, Slow: 8,
	}},
	"processes": {Every: 2 * time.Second, Weight: map[Kind]int{Kill: 60, KillWriter: 10, Freeze: 15, FreezeWrite: 5, KillDB: 2}},
	"network":   {Every: 1500 * time.Millisecond, Weight: map[Kind]int{Cut: 25, CutDB: 10, Lose: 40, Slow: 20, Kill: 5}},
	"brokers":   {Every: 4 * time.Second, Weight: map[Kind]int{KillBroker: 40, StopBroker: 25, Kill: 15, KillWriter: 5, Lose: 15}},
	"database":  {Every: 4 * time.Second, Weight: map[Kind]int{KillDB: 20, RestartDB: 15, FillDB: 20, CutDB: 25, Kill: 20}},
	"quick": {Every: 1200 * time.Millisecond, Short: true, Weight: map[Kind]int{
		Kill: 40, KillWriter: 8, Freeze: 4, KillBroker: 4, KillDB: 3, CutDB: 4, Cut: 8, Lose: 20, Slow: 8,
	}},
}

func profileNames() string { return strings.Join(slices.Sorted(maps.Keys(profiles)), ", ") }

// Scene is what faults can meet.
type Scene struct {
	Services   []string // by name
	Processes  []string // of the services
	Writers    []string // processes
	Partitions []string // topic/partition
	Brokers    int32
}

// The requests that are lost and delayed: what transactions, offsets and membership hang on.
var lossy = [][]proxy.API{
	{proxy.EndTxn},
	{proxy.EndTxn},
	{proxy.EndTxn},
	{proxy.Produce},
	{proxy.Produce},
	{proxy.Produce},
	{proxy.InitProducerID},
	// So far, writers send them too.
	{proxy.OffsetCommit, proxy.TxnOffsetCommit},
	{proxy.OffsetCommit, proxy.TxnOffsetCommit},
	{proxy.Fetch},
	{proxy.Heartbeat},
	{proxy.JoinGroup, proxy.SyncGroup},
}

const ofWriters = 7

// schedule draws the faults of a run, of its seed alone.
func schedule(seed uint64, p Profile, scene Scene, length time.Duration) []Step {
	r := rand.New(rand.NewPCG(seed, 1))
	kinds := slices.Sorted(maps.Keys(p.Weight))
	all := 0
	for _, k := range kinds {
		all += p.Weight[k]
	}
	var steps []Step
	for at := p.Every; at < length; at += p.Every/2 + time.Duration(r.Int64N(int64(p.Every))) {
		n := r.IntN(all)
		for _, k := range kinds {
			if n -= p.Weight[k]; n < 0 {
				steps = append(steps, draw(r, k, at, p.Short, scene))
				break
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return steps
}

// draw makes one fault.
func draw(r *rand.Rand, k Kind, at time.Duration, short bool, scene Scene) Step {
	s := Step{At: at, Kind: k}
	between := func(low, high time.Duration) time.Duration {
		if short {
			low, high = min(low, time.Second), min(high, 3*time.Second)
		}
		return low + time.Duration(r.Int64N(int64(high-low)))
	}
	s.Target = scene.Processes[r.IntN(len(scene.Processes))]
	switch k {
	case Kill:
		s.Target = scene.Services[r.IntN(len(scene.Services))]
		s.For = between(0, 3*time.Second)
		if r.IntN(4) == 0 {
			s.For = between(6*time.Second, 10*time.Second) // its partitions move, and its relay's lease
		}
	case KillWriter, FreezeWrite:
		s.Target = scene.Writers[r.IntN(len(scene.Writers))]
		s.For = between(0, 2*time.Second)
		if k == FreezeWrite {
			s.For = between(8*time.Second, 14*time.Second) // longer than its transaction may be open
		}
	case Freeze:
		s.For = between(7*time.Second, 14*time.Second) // longer than its session, often than its transaction
	case KillBroker, StopBroker:
		s.Target = scene.Partitions[r.IntN(len(scene.Partitions))]
		s.For = between(500*time.Millisecond, 5*time.Second)
	case KillDB, RestartDB, FillDB:
		s.Target = "database"
		s.For = between(300*time.Millisecond, 4*time.Second)
	case CutDB:
		s.For, s.Silent = between(time.Second, 6*time.Second), r.IntN(2) == 0
	case Cut:
		s.Broker = 1 + r.Int32N(scene.Brokers)
		if r.IntN(3) == 0 {
			s.Broker = 0
		}
		s.For, s.Silent = between(time.Second, 9*time.Second), r.IntN(2) == 0
	case Lose, Slow:
		among := len(lossy)
		switch r.IntN(4) {
		case 0:
			among = ofWriters
			s.Target = scene.Writers[r.IntN(len(scene.Writers))]
		case 1:
			s.Target = "" // whoever comes first
		}
		s.APIs, s.Reply = lossy[r.IntN(among)], r.IntN(3) > 0
		s.For, s.Times, s.Silent = between(time.Second, 5*time.Second), 1+r.IntN(4), r.IntN(3) == 0
	}
	return s
}
