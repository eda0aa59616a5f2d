package park

import "slices"

// outcome is what leaves in a transaction: a record, an effect, a dead letter, alone or together.
type outcome struct {
	record  Record // Kind 0: none
	effect  Event
	letter  Event
	acts    bool // effect is one
	letters bool // letter is one
	settles bool // effect is of a source event, which is settled with it
}

// doWith is do for something that leaves: with the first record that is appended, or with the source event
// that is settled.
func (w *world) doWith(o *owner, effects []Effect, out outcome) {
	if out.acts && w.apart {
		w.effect(out.effect)
		out.acts = false
	}
	for _, e := range slices.Clone(effects) {
		switch {
		case e.Do == Append && (out.acts || out.letters) && (!out.acts || out.effect.Parked):
			out.record = e.Record
			o.writing = append(o.writing, out)
			out = outcome{}
		case e.Do == Settle && out.acts && !out.effect.Parked && e.Event.Offset == out.effect.Offset:
			out.settles = true
			o.ready = append(o.ready, out)
			out = outcome{}
		default:
			w.do(o, []Effect{e})
		}
	}
}

// txnChoices are the writer and the transactions. Only the rightful owner's are accepted, since each holds
// offsets. One that is accepted and not ended is over, one way or the other, before the next owner begins.
func (w *world) txnChoices(i int, o *owner, add adder) {
	if len(o.writing) > 0 {
		add(true, func(w *world) {
			o := w.owners[i]
			o.ready = append(o.ready, o.writing[0])
			o.writing = o.writing[1:]
		}, "%d: %s is composed", i, show(o.writing[0].record))
	}
	if i != len(w.owners)-1 && !w.unfenced {
		return
	}
	for n := 1; n <= len(o.ready); n += max(1, len(o.ready)-1) {
		add(true, func(w *world) { w.transact(w.owners[i], n) }, "%d: a transaction of %d", i, n)
	}
}

func (w *world) transact(o *owner, n int) {
	for _, out := range o.ready[:n] {
		if out.acts {
			w.effect(out.effect)
		}
		if out.letters {
			w.letter(out.letter)
		}
		if out.settles {
			o.settled |= 1 << out.effect.Offset
		}
		if out.record.Kind != 0 {
			w.log = append(w.log, out.record)
		}
	}
	o.ready = slices.Clone(o.ready[n:])
	if o.core.phase == live && o == w.current() {
		w.commit(o)
	}
}

func outcomes(b []byte, all []outcome) []byte {
	b = num(b, int64(len(all)))
	for _, out := range all {
		b = record(b, out.record)
		b = events(b, []Event{out.effect, out.letter})
		b = num(b, bit(out.acts), bit(out.letters), bit(out.settles))
	}
	return b
}
