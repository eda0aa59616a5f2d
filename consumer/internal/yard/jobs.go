package yard

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// lettersMax bounds the dead letters of parked topics that are under way.
const lettersMax = 64

// Jobs is what loaders have to do, in the order in which it was posted.
type Jobs struct {
	wake chan struct{}

	mu     sync.Mutex
	jobs   []func()
	flying int      // dead letters under way
	queued []func() // dead letters that wait for these
}

// NewJobs makes an empty list for as many loaders.
func NewJobs(loaders int) *Jobs { return &Jobs{wake: make(chan struct{}, loaders)} }

// Post gives the loaders something to do.
func (j *Jobs) Post(job func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.post(job)
}

func (j *Jobs) post(job func()) {
	j.jobs = append(j.jobs, job)
	j.signal()
}

func (j *Jobs) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// PostLetter is Post for a dead letter, of which few are under way at once: until [Jobs.Landed].
func (j *Jobs) PostLetter(job func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.flying >= lettersMax {
		j.queued = append(j.queued, job)
		return
	}
	j.flying++
	j.post(job)
}

// Landed lets the next dead letter go.
func (j *Jobs) Landed() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queued) == 0 {
		j.flying--
		return
	}
	j.post(j.queued[0])
	j.queued[0] = nil
	j.queued = j.queued[1:]
}

// Work is a loader's life, until ctx ends.
func (j *Jobs) Work(ctx context.Context) {
	for {
		select {
		case <-j.wake:
		case <-ctx.Done():
			return
		}
		for job := j.next(); job != nil; job = j.next() {
			job()
		}
	}
}

func (j *Jobs) next() (job func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.jobs) == 0 {
		return nil
	}
	job = j.jobs[0]
	j.jobs[0] = nil
	j.jobs = j.jobs[1:]
	if len(j.jobs) > 0 {
		j.signal()
	}
	return job
}

// Dues is what is to happen at its time; the zero value is empty. Its owner guards it.
type Dues struct{ heap dueHeap }

type due struct {
	at   time.Time
	fire func()
}

// Add lets something happen at a time.
func (d *Dues) Add(at time.Time, fire func()) { heap.Push(&d.heap, due{at, fire}) }

// Fire lets happen what is due, as long as may allows it, and returns how long the next one has to wait;
// false: nothing waits for its time.
func (d *Dues) Fire(now time.Time, may func() bool) (wait time.Duration, waits bool) {
	for len(d.heap) > 0 && may() {
		if wait := d.heap[0].at.Sub(now); wait > 0 {
			return wait, true
		}
		heap.Pop(&d.heap).(due).fire()
	}
	return 0, false
}

type dueHeap []due

func (d dueHeap) Len() int           { return len(d) }
func (d dueHeap) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dueHeap) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dueHeap) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dueHeap) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = due{}
	*d = (*d)[:last]
	return x
}
