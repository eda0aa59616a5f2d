package cli

import (
	"fmt"
	"io"
	"time"
)

// progress tells how far a long work is, on stderr and only where a person looks.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	begun time.Time
	told  time.Time
	n     int64
}

// progressAfter is how long a work takes before it is called long, and how often it then tells.
const progressAfter = time.Second

func (a *app) progress(what string) *progress {
	p := &progress{what: what, begun: time.Now()}
	p.told = p.begun
	if isTerminal(a.cfg.Stderr) && !isTerminal(a.cfg.Stdout) {
		p.w = a.cfg.Stderr // on one terminal the data itself shows how far it is
	}
	return p
}

// always tells also where standard output is the same terminal: the work shows nothing there.
func (p *progress) always(a *app) {
	if isTerminal(a.cfg.Stderr) {
		p.w = a.cfg.Stderr
	}
}

// add counts n more.
func (p *progress) add(n int64) {
	p.n += n
	if p.w == nil || time.Since(p.told) < progressAfter {
		return
	}
	p.told = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K%d %s, %.0f/s", p.n, p.what, p.rate())
}

func (p *progress) rate() float64 { return float64(p.n) / max(time.Since(p.begun).Seconds(), 0.001) }

// done clears the line.
func (p *progress) done() {
	if p.w != nil && p.told != p.begun {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
