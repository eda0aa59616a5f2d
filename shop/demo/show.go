package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How often the live table is drawn, and a plain line is written.
const (
	drawEvery = 250 * time.Millisecond
	lineEvery = 2 * time.Second
)

// greet says what is about to be done.
func (d *demo) greet(resumed bool) {
	where := strings.Join(d.cfg.Kafka.Brokers, ",")
	switch {
	case d.stack != nil:
		where = "embedded broker and SQLite in " + d.dir
	case len(d.cfg.Attach) > 0:
		where = "services at " + strings.Join(d.cfg.Attach, ", ")
	}
	fmt.Fprintf(d.cfg.Err, "leat demo: %s orders, seed %d, %g%% with trouble; %s\n", d.wanted(), d.journal.head.Seed, d.cfg.Trouble, where)
	if resumed {
		fmt.Fprintf(d.cfg.Err, "going on after %d orders of earlier runs\n", len(d.journal.all()))
	}
	if !d.cfg.Exit {
		fmt.Fprintf(d.cfg.Err, "storefront: %s\n", d.url)
	}
}

// wanted is how many orders there are to be.
func (d *demo) wanted() string {
	if d.cfg.Orders == endless {
		return "endless"
	}
	return strconv.Itoa(d.cfg.Orders)
}

// show tells how far it is until the function that it returns is called, once or more.
func (d *demo) show(w *watch) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	every := lineEvery
	if d.cfg.Live {
		every = drawEvery
	}
	go func() { // ended by stop, which waits for it
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		var told <-chan struct{} // closed when the story can be told, which without an end is told at once
		if d.story != nil && !d.cfg.Exit {
			told = d.story.done
		}
		s := screen{d: d, out: d.cfg.Err, begun: time.Now()}
		if d.cfg.Live {
			s.out = d.cfg.Out
		}
		for {
			select {
			case <-told:
				told = nil
				s.clear()
				fmt.Fprint(d.cfg.Err, d.story.tell())
			case <-tick.C:
				seen, _ := w.last()
				s.draw(seen)
			case <-end:
				s.clear()
				return
			}
		}
	}()
	var once sync.Once
	return func() {
		once.Do(func() { close(end) })
		<-ended
	}
}

// screen is where progress is told.
type screen struct {
	d     *demo
	out   io.Writer
	begun time.Time
	last  string
	lines int // drawn, to be drawn over
}

func (s *screen) draw(seen states) {
	line := s.line(seen)
	if !s.d.cfg.Live {
		if line != s.last {
			fmt.Fprintln(s.out, line)
		}
		s.last = line
		return
	}
	s.clear()
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %.0f s\n\n", line, time.Since(s.begun).Seconds())
	for _, name := range s.d.names {
		fmt.Fprintf(&b, "  %-13s %s\n", name, stateLine(seen[name]))
	}
	text := b.String()
	s.lines = strings.Count(text, "\n")
	fmt.Fprint(s.out, text)
}

// clear takes away what was drawn.
func (s *screen) clear() {
	if s.lines > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
		s.lines = 0
	}
}

func (s *screen) line(seen states) string {
	orders, calls, notices := seen.open()
	done, gone := seen.of("order", "completed"), seen.of("order", "cancelled")
	return fmt.Sprintf("%d of %s orders placed, %d completed, %d cancelled; under way: %d orders, %d calls, %d notices",
		done+gone+orders, s.d.wanted(), done, gone, orders, calls, notices)
}

func stateLine(counts map[string]int64) string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", state, counts[state]))
	}
	return strings.Join(parts, "  ")
}

// sum prints the verdict.
func (d *demo) sum(r Report) error {
	for _, f := range r.Findings {
		fmt.Fprintln(d.cfg.Err, "does not hold:", f)
	}
	if d.cfg.JSON {
		data, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode the report: %w", err)
		}
		_, err = fmt.Fprintf(d.cfg.Out, "%s\n", data)
		return err
	}
	verdict := "everything holds"
	if !r.OK {
		verdict = fmt.Sprintf("%d things do not hold", len(r.Findings))
	}
	contract := ""
	if d.story != nil {
		contract = d.story.tell()
	}
	_, err := fmt.Fprintf(d.cfg.Out, `orders           %d placed = %d completed + %d cancelled, %d lost
money            %s
stock            %s
trouble          %d bad records, %d dead letters, %d unknown types, %d events sent twice
parked           %d events of full mailboxes waited, and came back
%seffects doubled  %d
lag              %d
first completed  %d ms after the start
order            p50 %d ms, p99 %d ms, %.1f orders/s
audit            %s
`, r.Placed, r.Completed, r.Cancelled, r.Lost, balanced(r.MoneyBalanced), balanced(r.StockBalanced),
		r.BadRecords, r.DeadLetters, r.UnknownTypes, r.DuplicatesSent, r.Parked, contract, r.EffectsDoubled, r.Lag,
		r.FirstCompletedMS, r.P50MS, r.P99MS, r.OrdersPerS, verdict)
	return err
}

func balanced(ok bool) string {
	if ok {
		return "balanced"
	}
	return "NOT BALANCED"
}
