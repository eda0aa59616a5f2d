package registry

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a log that goes with its process. Registries may share one; all of them may append.
type Memory struct {
	mu      sync.Mutex
	entries []Entry
	grown   chan struct{} // closed and made anew with every append
}

// NewMemory makes an empty log, or one with what another log held.
func NewMemory(records ...Record) *Memory {
	m := &Memory{grown: make(chan struct{})}
	m.add(records)
	return m
}

func (m *Memory) add(records []Record) {
	for _, r := range records {
		if r.Time == 0 {
			r.Time = time.Now().UnixMilli()
		}
		m.entries = append(m.entries, Entry{Record: r, Position: int64(len(m.entries))})
	}
}

// Follow implements [Log].
func (m *Memory) Follow(ctx context.Context, apply func([]Entry, int64)) error {
	var at int64
	for {
		m.mu.Lock()
		fresh, grown := slices.Clone(m.entries[at:]), m.grown
		m.mu.Unlock()
		at += int64(len(fresh))
		apply(fresh, at)
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
		}
	}
}

// End implements [Log].
func (m *Memory) End(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.entries)), nil
}

// Append implements [Log].
func (m *Memory) Append(_ context.Context, after int64, records []Record) (int64, error) {
	if err := checkSizes(records); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if int64(len(m.entries)) != after {
		return 0, ErrStale
	}
	m.add(records)
	close(m.grown)
	m.grown = make(chan struct{})
	return int64(len(m.entries)), nil
}

// Leader implements [Log].
func (m *Memory) Leader() (string, bool) { return "", true }
