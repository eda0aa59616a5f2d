package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leatdev/leat/test/chaos/audit"
)

// rest waits until all work has ended, reads the final state and judges. What is still moving when it
// is read is read again, as long as there is time.
func (c *chaos) rest(ctx context.Context, r *Report) error {
	begun := time.Now()
	draining, cancel := context.WithTimeoutCause(ctx, c.cfg.Drain, fmt.Errorf("not at rest %v after the last fault", c.cfg.Drain))
	defer cancel()
	for _, m := range c.members {
		if err := m.waitReady(draining); err != nil {
			return errors.Join(err, c.alone())
		}
	}
	if err := c.alone(); err != nil {
		return err
	}
	var why error
	for still := 0; still < 3 && draining.Err() == nil; pause(draining, 300*time.Millisecond) {
		if why = c.quiet(draining); why == nil {
			still++
			continue
		}
		still = 0
	}
	if why != nil {
		c.tell("not at rest: %v", why)
	}
	var err error
	for { // a state that can't be read at the moment is as unfinished as one that still moves
		r.Audit, err = c.judge(ctx)
		if err == nil && !r.Audit.Live() || !pause(draining, 2*time.Second) {
			break
		}
	}
	if err != nil {
		return err
	}
	r.Drained = time.Since(begun)
	return c.reading()
}

// quiet says what still goes on, or nil.
func (c *chaos) quiet(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.stage.postgres.URL(""))
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	n, err := underWay(ctx, conn)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("count what is under way: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("%d rows are under way", n)
	}
	ask, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ends, err := c.watch.ends(ask, true)
	if err != nil {
		return err
	}
	until := map[string]int64{}
	for at, o := range ends {
		until[at] = o.Offset
	}
	groups, err := c.watch.offsets(ask, false)
	if err != nil {
		return err
	}
	for group, offsets := range groups {
		for at, offset := range offsets {
			if end, ok := until[at]; ok && offset < end {
				return fmt.Errorf("group %s has committed %d of %d on %s", group, offset, end, at)
			}
		}
	}
	if text := c.readers[0].behind(until); text != "" {
		return fmt.Errorf("a reader is behind: %s", text)
	}
	return nil
}

// final is the history that every look at the final state writes anew.
const final = "final"

// judge reads the final state into a history of its own and audits everything.
func (c *chaos) judge(ctx context.Context) (*audit.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	path := filepath.Join(c.dir, final+".ndjson")
	if err := os.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("begin the final history: %w", err)
	}
	log, err := audit.Create(path, final)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	watch := *c.watch
	watch.log = log
	g := &gatherer{watch: &watch, brokers: c.stage.kafka.Brokers(), database: c.stage.postgres.URL(""), services: c.services, log: log}
	if err := g.gather(ctx); err != nil {
		return nil, fmt.Errorf("read the final state: %w", err)
	}
	if _, err := watch.offsets(ctx, true); err != nil {
		return nil, err
	}
	if err := sample(ctx, log, c.members, false); err != nil {
		return nil, err
	}
	histories, err := filepath.Glob(filepath.Join(c.dir, "*.ndjson"))
	if err != nil {
		return nil, fmt.Errorf("list the histories: %w", err)
	}
	return audit.Audit(histories...)
}
