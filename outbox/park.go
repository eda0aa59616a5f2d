package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/sqldb"
)

// Names of the headers that a letter of the relay has beside those of every dead letter
// (package consumer).
const (
	HeaderRow  = "leat-outbox-row"   // its row in leat_outbox, and the column id of leat_outbox_parked
	HeaderSize = "leat-outbox-bytes" // of its data, which stays in the database
)

// letterFor is the dead letter that stands in for a row's event: its envelope, why, and no data. The
// event was never in its topic: the partition of its source is -1, and the offset is its row's id.
func letterFor(r *row, m *leat.Message, group, reason string, now time.Time) leat.Message {
	l := *m
	l.Data = nil
	l.Topic = leat.DeadLetters(m.Topic, group)
	story := consumer.DeadLetter{
		Source: leat.Position{Topic: m.Topic, Partition: -1, Offset: r.id}, Timestamp: m.Time, Group: group,
		Reason: consumer.ReasonUnsendable, Error: reason, FirstFailure: now, LastFailure: now, Omitted: []string{"value"},
	}
	l.Headers = append(append(slices.Clone(m.Headers), story.Headers()...),
		leat.Header{Key: HeaderRow, Value: strconv.AppendInt(nil, r.id, 10)},
		leat.Header{Key: HeaderSize, Value: strconv.AppendInt(nil, int64(len(m.Data)), 10)})
	return l
}

// hurdle is what the relay knows of events that can't leave. It lives as long as the relay: an error
// ends the reign, and the next one profits.
type hurdle struct {
	limits map[string]int      // topic -> max.message.bytes
	topics map[string]*blocked // topics that can't be written to
	rows   map[int64]string    // rows that were refused alone -> why
	mute   map[string]bool     // topics of letters that refuse them: none is left there any more
	narrow int                 // rows of the next batch, halved until the refused row is alone; 0: no bound
}

func newHurdle() hurdle {
	return hurdle{limits: map[string]int{}, topics: map[string]*blocked{}, rows: map[int64]string{}, mute: map[string]bool{}}
}

// blocked is a topic that is missing or may not be written to.
type blocked struct {
	since time.Time
	retry time.Time // when to try again
	err   error
}

// retryBlocked is how long a blocked topic rests between two tries. A try costs a takeover.
const retryBlocked = 5 * time.Second

// held are the topics that the reader passes over for now: those that are blocked and neither due
// for a try nor out of patience.
func (h *hurdle) held(now time.Time, patience time.Duration) map[string]bool {
	var held map[string]bool
	for topic, b := range h.topics {
		if now.Before(b.retry) && !b.lost(now, patience) {
			if held == nil {
				held = map[string]bool{}
			}
			held[topic] = true
		}
	}
	return held
}

func (b *blocked) lost(now time.Time, patience time.Duration) bool {
	return patience >= 0 && now.Sub(b.since) >= patience
}

// tooLarge says whether an event is above what its topic was known to take.
func (h *hurdle) tooLarge(m *leat.Message) bool {
	limit, known := h.limits[m.Topic]
	return known && m.Size() > limit
}

// verdict says why a row can't leave, "" where it may try.
func (h *hurdle) verdict(r *row, m *leat.Message, now time.Time, patience time.Duration) string {
	if r.skip {
		return "skipped by hand"
	}
	if reason, known := h.rows[r.id]; known {
		return reason
	}
	if h.tooLarge(m) {
		return (&TooLargeError{Type: m.Type, Topic: m.Topic, ID: m.ID, Size: m.Size(), Max: h.limits[m.Topic]}).Error()
	}
	if b := h.topics[m.Topic]; b != nil && now.Before(b.retry) && b.lost(now, patience) {
		return b.err.Error()
	}
	return ""
}

// refused takes in that a batch of rows was not sent, and says whether that taught something: the
// next try will be another one.
func (h *hurdle) refused(b *batch, group string, err error, now time.Time) bool {
	e, ok := errors.AsType[*kafka.Error](err)
	if !ok || e.Topic == "" {
		return false
	}
	lettersOf := func(m leat.Message) bool { return leat.DeadLetters(m.Topic, group) == e.Topic }
	switch unfit := errors.Is(err, kafka.ErrTooLarge) || errors.Is(err, kafka.ErrNoTopic) || errors.Is(err, kafka.ErrNotAllowed); {
	case unfit && slices.ContainsFunc(b.events, lettersOf):
		h.mute[e.Topic] = true // a letter is a courtesy: without it the event is parked all the same
		return true
	case !slices.ContainsFunc(b.events, func(m leat.Message) bool { return m.Topic == e.Topic }):
		return false // the position's topic: nothing about an event
	case errors.Is(err, kafka.ErrTooLarge) && len(b.rows) == 1:
		h.rows[b.rows[0].id] = e.Error()
		return true
	case errors.Is(err, kafka.ErrTooLarge):
		h.narrow = max(len(b.rows)/2, 1)
		return true
	case errors.Is(err, kafka.ErrNoTopic), errors.Is(err, kafka.ErrNotAllowed):
		known := h.topics[e.Topic]
		if known == nil {
			known = &blocked{since: now}
			h.topics[e.Topic] = known
		}
		known.retry, known.err = now.Add(retryBlocked), e
		return true
	}
	return false
}

// trouble says what holds events up, "" where nothing does.
func (h *hurdle) trouble() string {
	var all []string
	for _, b := range h.topics {
		all = append(all, b.err.Error())
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// passed takes in that a batch was sent.
func (h *hurdle) passed(b *batch, messages []leat.Message) {
	for i := range b.rows {
		delete(h.rows, b.rows[i].id)
	}
	if h.narrow > 0 {
		h.narrow *= 2
	}
	if len(h.topics) == 0 {
		return
	}
	for i := range messages {
		delete(h.topics, messages[i].Topic)
	}
}

// sort parts a batch into what is sent and what is parked, with a letter for each of the latter
// where the topic of letters can be had.
func (g *reign) sort(ctx context.Context, b *batch) (messages []leat.Message, out []parked, letters []leat.Message) {
	now := time.Now()
	asked := map[string]bool{}
	for i := range b.rows {
		r, m := &b.rows[i], &b.events[i]
		if g.hurdle.tooLarge(m) && !asked[m.Topic] { // the limit may have been raised since it was learned
			asked[m.Topic] = true
			if err := g.learnLimits(ctx, g.setup.client, map[string]bool{m.Topic: true}); err != nil {
				g.log.WarnContext(ctx, "the limit of a topic can't be read anew: the one that was known holds", "topic", m.Topic, "error", err)
			}
		}
		reason := g.hurdle.verdict(r, m, now, g.cfg.Patience)
		switch {
		case reason != "":
			if out == nil { // the first one: from here on the messages are not just the batch's
				messages = append(make([]leat.Message, 0, len(b.rows)), b.events[:i]...)
			}
			out = append(out, parked{ID: r.id, Reason: reason})
			if g.letterTopic(ctx, m.Topic) {
				letters = append(letters, letterFor(r, m, g.box.cfg.Group, reason, now))
			}
			g.log.ErrorContext(ctx, "event can't leave and is parked in leat_outbox_parked", "topic", m.Topic, "event_id", strings.Clone(m.ID), "event_type", m.Type, "row", r.id, "error", reason)
		case out != nil:
			messages = append(messages, *m)
		}
	}
	if out == nil {
		messages = b.events
	}
	return messages, out, letters
}

// Skip takes the row out of the way by hand: instead of being sent it is parked, with a letter in
// its place, at the relay's next pass. Either it is sent or it is parked, never both. ErrNotThere
// says that no such row waits.
func (b *Box) Skip(ctx context.Context, id int64) error {
	return b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, `update leat_outbox set skip = $2 where id = $1`, id, true)
		if err == nil && n == 0 && tx.Dialect() == sqldb.Postgres {
			n, err = skipKept(ctx, tx, id)
		}
		if err != nil {
			return fmt.Errorf("skip outbox row %d: %w", id, err)
		}
		if n == 0 {
			return fmt.Errorf("skip outbox row %d: %w", id, ErrNotThere)
		}
		return nil
	})
}
