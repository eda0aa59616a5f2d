package redrive

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

const (
	// perStep is how many letters one transaction takes.
	perStep = 100
	// stepsPerSecond is how many steps a rate is made of.
	stepsPerSecond = 5
	// lookEvery is how often what becomes of events is looked for.
	lookEvery = 200 * time.Millisecond
)

// trip is a job on its way.
type trip struct {
	Job
	scene *scene
	step  stepFunc
	units []unit // still to go
	sent  []sent
	tally Tally
	begun time.Time
}

// sent is a letter whose event went back, and in which round.
type sent struct {
	*Letter
	round int32
}

func (t *trip) run(ctx context.Context) error {
	if err := t.plan(ctx); err != nil {
		return err
	}
	if t.Act != Redriven {
		return t.send(ctx, len(t.units))
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	if first := t.canary(); first > 0 {
		if err := t.send(ctx, first); err != nil {
			return err
		}
		if err := t.await(ctx); err != nil {
			return err
		}
		if t.tally.Again > 0 && len(t.units) > 0 {
			return fmt.Errorf("%w: %d of %d; look with leat dlq list", ErrCanary, t.tally.Again, t.tally.Done)
		}
	}
	if err := t.send(ctx, len(t.units)); err != nil || !t.Wait {
		return err
	}
	return t.await(ctx)
}

// plan finds what is to be done.
func (t *trip) plan(ctx context.Context) error {
	if err := t.scene.read(ctx); err != nil {
		return err
	}
	letters := t.scene.story.Plan(t.Act, t.Filter, t.Guard).Letters
	if err := t.Edit.fits(letters); err != nil {
		return err
	}
	var holds map[place]park.Hold
	if t.Act == Redriven {
		holds = t.scene.holds()
	}
	units, err := t.scene.story.units(letters, holds)
	if err != nil {
		return err
	}
	for i, u := range units {
		if t.Limit > 0 && t.tally.Of >= t.Limit {
			units = units[:i]
			break
		}
		t.tally.Of += len(u.letters)
	}
	t.units, t.begun = units, time.Now()
	t.Hook("redrive.planned")
	return nil
}

// canary is how many units go first.
func (t *trip) canary() (units int) {
	for n := 0; n < t.Canary && units < len(t.units); units++ {
		n += len(t.units[units].letters)
	}
	return units
}

// send deals with the next units, in steps.
func (t *trip) send(ctx context.Context, units int) error {
	most := perStep
	if t.Rate > 0 {
		most = min(perStep, max(1, int(t.Rate/stepsPerSecond)))
	}
	for units > 0 && ctx.Err() == nil {
		n, letters := 0, 0
		for n < units && letters < most {
			letters += len(t.units[n].letters)
			n++
		}
		if err := t.write(ctx, t.units[:n]); err != nil {
			return err
		}
		t.units, units = t.units[n:], units-n
		t.tally.Done += letters
		t.Told(t.tally)
		if t.Rate > 0 {
			pause(ctx, time.Until(t.begun.Add(time.Duration(float64(t.tally.Done)/t.Rate*float64(time.Second)))))
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: run the same command again for the rest: %w", ctx.Err())
	}
	return nil
}

// write is one step: what goes back, and the notes of it.
func (t *trip) write(ctx context.Context, units []unit) error {
	var first, then []kafka.Raw
	var held []Held
	for _, u := range units {
		for _, l := range u.letters {
			round, edited := int32(0), ""
			if t.Act == Redriven {
				round, edited = l.Rounds+1, t.Edit.digest(l)
				first = append(first, t.back(l, u.hold))
				t.sent = append(t.sent, sent{l, round})
			}
			note, err := t.note(t.Act, l, round, edited)
			if err != nil {
				return err
			}
			then = append(then, note)
		}
		if u.hold.ID != 0 {
			first = append(first, t.release(u.letters[0], u.hold))
			held = append(held, Held{u.letters[0].Source.Partition, u.letters[0].Key, u.hold})
		}
	}
	if err := t.step(ctx, first, then); err != nil {
		return fmt.Errorf("%w; what was done is noted: run the same command again for the rest", err)
	}
	t.Hook("redrive.committed")
	return t.scene.released(ctx, held)
}

// await waits until the events that went back have ended.
func (t *trip) await(ctx context.Context) error {
	for {
		if err := t.scene.read(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		t.tally.Handled, t.tally.Again = 0, 0
		for _, s := range t.sent {
			switch {
			case s.Rounds < s.round: // its note can't be read yet
			case s.State() == Done:
				t.tally.Handled++
			case s.State() == DeadAgain:
				t.tally.Again++
			}
		}
		t.Told(t.tally)
		if t.tally.Handled+t.tally.Again == len(t.sent) {
			return nil
		}
		pause(ctx, lookEvery)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted while %d events that went back had not ended: %w", len(t.sent)-t.tally.Handled-t.tally.Again, ctx.Err())
		}
	}
}

// settle notes what has become of events that went back, so that it is known when the park topic is
// gone.
func (t *trip) settle(ctx context.Context) error {
	var notes []kafka.Raw
	write := func() error {
		err := t.step(ctx, nil, notes)
		notes = nil
		if err != nil {
			return fmt.Errorf("note what became of events that went back: %w", err)
		}
		return nil
	}
	for _, l := range t.scene.story.Letters() {
		if l.State() != Done || l.state == Done {
			continue
		}
		note, err := t.note(Handled, l, l.Rounds, "")
		if err != nil {
			return err
		}
		notes, l.state = append(notes, note), Done
		if len(notes) == perStep {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return write()
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
