package demo

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/leatdev/leat/shop/inventory"
	"github.com/leatdev/leat/shop/notification"
	"github.com/leatdev/leat/shop/order"
	"github.com/leatdev/leat/shop/payment"
	"github.com/leatdev/leat/shop/shipping"
)

// Report is what came of a demo.
type Report struct {
	Seed             uint64  `json:"seed"`
	Placed           int     `json:"placed"`
	Completed        int     `json:"completed"`
	Cancelled        int     `json:"cancelled"`
	DeadLetters      int     `json:"dead_letters"`
	BadRecords       int     `json:"bad_records"`
	UnknownTypes     int     `json:"unknown_types"`
	DuplicatesSent   int     `json:"duplicates_sent"`
	Parked           int     `json:"parked"` // events that waited in a park topic and came back
	EffectsDoubled   int     `json:"effects_doubled"`
	Lost             int     `json:"lost"`
	MoneyBalanced    bool    `json:"money_balanced"`
	StockBalanced    bool    `json:"stock_balanced"`
	Lag              int64   `json:"lag"`
	FirstCompletedMS int64   `json:"first_completed_ms"` // from the start of the run; 0: none completed in it
	P50MS            int64   `json:"p50_ms"`             // from placed to ended, of all orders
	P99MS            int64   `json:"p99_ms"`
	OrdersPerS       float64 `json:"orders_per_s"`     // of the orders that were placed in this run
	ContractEvolved  bool    `json:"contract_evolved"` // a compatible change worked, a breaking one was refused; false with Attach
	OK               bool    `json:"ok"`

	// Findings say what does not hold and where; at most 20 of each kind.
	Findings []string `json:"-"`
}

const mostFindings = 20

// findings collects what does not hold.
type findings struct {
	all  []string
	kind map[string]int
}

func (f *findings) add(kind, format string, args ...any) {
	if f.kind == nil {
		f.kind = map[string]int{}
	}
	f.kind[kind]++
	if f.kind[kind] <= mostFindings {
		f.all = append(f.all, kind+": "+fmt.Sprintf(format, args...))
	}
}

// audit judges the evidence. It is a function of it, and of when the run began.
func audit(e *evidence, seed uint64, begun time.Time) Report {
	var f findings
	r := Report{Seed: seed}
	auditOrders(e, &r, &f)
	r.MoneyBalanced = auditMoney(e, &f)
	r.StockBalanced = auditStock(e, &f)
	auditNotices(e, &f)
	auditEffects(e, &r, &f)
	auditLetters(e, &r, &f)
	auditParked(e, &r, &f)
	for _, group := range slices.Sorted(maps.Keys(e.lags)) {
		if n := e.lags[group]; n != 0 {
			f.add("lag", "group %s is %d records behind", group, n)
			r.Lag += n
		}
	}
	if e.outboxes != 0 {
		f.add("outbox", "%.0f events have not left", e.outboxes)
	}
	if e.contract != nil {
		if r.ContractEvolved = *e.contract == nil; !r.ContractEvolved {
			f.add("contract", "a change of a running contract: %v", *e.contract)
		}
	}
	measure(e, &r, begun)
	r.Findings = f.all
	r.OK = len(f.all) == 0
	return r
}

// auditOrders compares what the generator meant with how the orders ended.
func auditOrders(e *evidence, r *Report, f *findings) {
	known := map[string]bool{}
	for n, d := range e.deeds {
		r.Placed++
		fate := e.fates[d.order]
		switch {
		case d.order == "":
			f.add("lost", "order %d was to be placed and was not", n)
			r.Lost++
			continue
		case known[d.order]:
			f.add("order", "order %d is the order %s of another number", n, d.order)
		case fate == nil || fate.state == "":
			f.add("lost", "order %d, %s, is not known to the order service", n, d.order)
			r.Lost++
			continue
		}
		known[d.order] = true
		completed, reason := d.trouble.outcome()
		switch {
		case !fate.state.Ended():
			f.add("lost", "order %d, %s (%s), is still %s", n, d.order, d.trouble, fate.state)
			r.Lost++
		case fate.state == order.Completed:
			r.Completed++
			if !completed {
				f.add("order", "order %d, %s (%s), completed", n, d.order, d.trouble)
			}
		default:
			r.Cancelled++
			if fate.reason != reason {
				f.add("order", "order %d, %s (%s), was cancelled because of %q", n, d.order, d.trouble, fate.reason)
			}
		}
	}
	for id, fate := range e.fates {
		if fate.state == "" {
			f.add("order", "services know an order %s that the order service does not", id)
		} else if !fate.state.Ended() && !known[id] {
			f.add("lost", "order %s, of an earlier demo or someone else, is still %s", id, fate.state)
			r.Lost++
		}
	}
}

// auditMoney: what is held is the total of the completed orders, for each and in all.
func auditMoney(e *evidence, f *findings) bool {
	before := len(f.all)
	held, due := map[string]int64{}, map[string]int64{}
	for id, o := range e.fates {
		if o.captured > 1 || o.returned > o.captured {
			f.add("money", "order %s: taken %d times, given back %d times", id, o.captured, o.returned)
		}
		held[o.amount.Currency] += (o.captured - o.returned) * o.amount.Amount
		if o.state == order.Completed {
			due[o.total.Currency] += o.total.Amount
		}
		if got, want := o.captured-o.returned == 1, o.state == order.Completed; got != want || want && o.amount != o.total {
			f.add("money", "order %s is %s over %v, held is %d times %v", id, o.state, o.total, o.captured-o.returned, o.amount)
		}
		if o.charge.Open() {
			f.add("money", "the charge of order %s is still %s", id, o.charge)
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(held)) {
		if held[currency] != due[currency] {
			f.add("money", "%d %s are held, the completed orders come to %d", held[currency], currency, due[currency])
		}
	}
	return len(f.all) == before
}

// auditStock: what is out of stock was shipped, for each order and for each article.
func auditStock(e *evidence, f *findings) bool {
	before := len(f.all)
	for _, a := range e.articles {
		if a.Available < 0 || a.Counted != a.Available+a.Taken {
			f.add("stock", "%s: %d counted, %d for sale, %d taken", a.SKU, a.Counted, a.Available, a.Taken)
		}
		if a.Taken != e.reserved[a.SKU] || a.Taken != e.shipped[a.SKU] {
			f.add("stock", "%s: %d taken, %d reserved, %d shipped", a.SKU, a.Taken, e.reserved[a.SKU], e.shipped[a.SKU])
		}
	}
	for id, o := range e.fates {
		done := o.state == order.Completed
		if (o.goods == inventory.Reserved) != done || (o.shipment == shipping.Dispatched) != done {
			f.add("stock", "order %s is %s, its goods are %q and its shipment is %q", id, o.state, o.goods, o.shipment)
		}
	}
	return len(f.all) == before
}

// auditNotices: one for the order's end, and one for each other thing that happened.
func auditNotices(e *evidence, f *findings) {
	for id, o := range e.fates {
		want := map[string]int{}
		switch o.state {
		case order.Completed:
			want[notification.ReasonCompleted] = 1
		case order.Cancelled:
			want[notification.ReasonCancelled] = 1
		}
		if o.charge == payment.Refunded {
			want[notification.ReasonRefunded] = 1
		}
		if o.shipment == shipping.Dispatched {
			want[notification.ReasonDispatched] = 1
		}
		if !maps.Equal(want, o.notices) || o.pending != 0 {
			f.add("notification", "order %s is %s (%s, %s) and got %v, %d not sent yet", id, o.state, o.charge, o.shipment, o.notices, o.pending)
		}
	}
}

// auditEffects: no event was handled twice, though events were sent twice.
func auditEffects(e *evidence, r *Report, f *findings) {
	for _, s := range e.summaries {
		r.EffectsDoubled += int(s.Doubled)
		if s.Doubled != 0 {
			f.add("effect", "%s handled %d events more than once, for example %s", s.Service, s.Doubled, s.Example)
		}
	}
}

// auditLetters: every bad record has one dead letter for each group that has to refuse it, and
// nothing else has any.
func auditLetters(e *evidence, r *Report, f *findings) {
	r.BadRecords, r.UnknownTypes, r.DuplicatesSent = len(e.log.bad), e.log.unknown, e.log.repeats
	wanted := map[string]bool{}
	for _, b := range e.log.bad {
		for _, group := range b.groups {
			key := letterKey(group, b.at)
			wanted[key] = true
			switch {
			case e.log.letters[key] != 1:
				f.add("dead letter", "the bad record %s has %d in group %s", b.at, e.log.letters[key], group)
			case !e.log.reasons[key]:
				f.add("dead letter", "the bad record %s has one without a fitting reason in group %s", b.at, group)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.log.letters)) {
		r.DeadLetters += e.log.letters[key]
		if !wanted[key] {
			f.add("dead letter", "%s is one and the record is not bad", key)
		}
	}
	if meant := e.meant(badBytes, badJSON, badHeaders, badEnvelope); r.BadRecords < meant {
		f.add("bad record", "%d were to be put on the topics, %d are there", meant, r.BadRecords)
	}
	if meant := e.meant(unknownType); r.UnknownTypes < meant {
		f.add("unknown type", "%d were to be put on the topics, %d are there", meant, r.UnknownTypes)
	}
	if meant := e.meant(repeatEvent); r.DuplicatesSent < meant {
		f.add("duplicate", "%d were to be sent, %d are there", meant, r.DuplicatesSent)
	}
	if e.counted && e.passed < float64(r.UnknownTypes) {
		f.add("unknown type", "%d are there, the groups counted %.0f that they passed over", r.UnknownTypes, e.passed)
	}
}

// auditParked: what a full mailbox refused waited elsewhere, and came back.
func auditParked(e *evidence, r *Report, f *findings) {
	r.Parked = e.log.parked
	if meant := e.meant(mailbox); e.counted && r.Parked < meant {
		f.add("parked", "%d mailboxes were full, %d events waited and came back", meant, r.Parked)
	}
}

// meant is how many orders were to meet one of the troubles.
func (e *evidence) meant(troubles ...trouble) (n int) {
	for _, d := range e.deeds {
		if slices.Contains(troubles, d.trouble) {
			n++
		}
	}
	return n
}

// measure tells how fast it was.
func measure(e *evidence, r *Report, begun time.Time) {
	var took []time.Duration
	var first, firstPlaced, lastEnded time.Time
	inRun := 0
	for _, d := range e.deeds {
		o := e.fates[d.order]
		if o == nil || o.ended.IsZero() {
			continue
		}
		took = append(took, o.ended.Sub(o.placed))
		if o.state == order.Completed && o.ended.After(begun) && (first.IsZero() || o.ended.Before(first)) {
			first = o.ended
		}
		if o.placed.Before(begun) {
			continue
		}
		inRun++
		if firstPlaced.IsZero() || o.placed.Before(firstPlaced) {
			firstPlaced = o.placed
		}
		if o.ended.After(lastEnded) {
			lastEnded = o.ended
		}
	}
	if !first.IsZero() {
		r.FirstCompletedMS = first.Sub(begun).Milliseconds()
	}
	slices.Sort(took)
	r.P50MS, r.P99MS = percentile(took, 50), percentile(took, 99)
	if span := lastEnded.Sub(firstPlaced).Seconds(); inRun > 0 && span > 0 {
		r.OrdersPerS = float64(int(float64(inRun)/span*10)) / 10
	}
}

// percentile of sorted durations, in milliseconds, by nearest rank.
func percentile(sorted []time.Duration, p int) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1].Milliseconds()
}
