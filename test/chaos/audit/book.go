package audit

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
)

// Audit reads the histories, in any order, and judges them.
func Audit(paths ...string) (*Report, error) {
	b := newBook()
	for _, path := range paths {
		if err := b.readFile(path); err != nil {
			return nil, err
		}
	}
	return b.judge(), nil
}

// AuditAll judges histories that lie elsewhere than in files.
func AuditAll(histories ...io.Reader) (*Report, error) {
	b := newBook()
	for _, r := range histories {
		if err := Read(r, b.enter); err != nil {
			return nil, err
		}
	}
	return b.judge(), nil
}

// place is a partition.
type place struct {
	topic     string
	partition int32
}

// spot is where a record lies.
type spot struct {
	place
	offset int64
}

func (s spot) String() string { return fmt.Sprintf("%s/%d@%d", s.topic, s.partition, s.offset) }

func (r *Record) place() place { return place{r.Topic, r.Partition} }
func (r *Record) spot() spot   { return spot{r.place(), r.Offset} }

// deed is one operation of an actor.
type deed struct {
	actor  string
	n      int64
	op     Op
	txn    bool
	is     Phase // how it ended; Begun: nobody knows
	ending int64 // when it asked to be committed; 0: never
	began  int64
	writes []Record
	placed bool // it is known where they lie
	key    string
	order  string
}

type deedID struct {
	actor string
	n     int64
}

// seen is one record that a reader was given, and when.
type seen struct {
	spot
	id string
	at int64
}

// reading is what one actor was given under one isolation level.
type reading struct {
	topics []string // that it reads to the end
	polled map[place][]seen
}

// level is a sample of a number that may not go back.
type level struct{ at, value int64 }

// letter is a dead letter.
type letter struct {
	Record
	reason string
}

type groupPlace struct {
	group string
	place
}

// book is everything that the histories say.
type book struct {
	report *Report
	text   map[string]string // one copy of each text that comes often

	deeds   map[deedID]*deed
	inOrder []*deed
	reads   map[string]*reading // by actor; read_committed only
	others  []seen              // under read_uncommitted

	committed, whole map[place][]Record // the final log
	marks            map[place][]level
	ends             map[place]Line // final watermarks
	offsets          map[groupPlace][]level
	takes            map[string]map[string]map[string]bool // group, topic, type
	effects          map[string][]Record                   // by group
	letters          map[string][]letter                   // by group
	waiting          []Line
	rows             map[string]map[string]Row // by table and id
	idle, final      map[string]Line           // samples of processes
}

func newBook() *book {
	return &book{
		report: &Report{Counts: map[Class]int{}}, text: map[string]string{},
		deeds: map[deedID]*deed{}, reads: map[string]*reading{},
		committed: map[place][]Record{}, whole: map[place][]Record{},
		marks: map[place][]level{}, ends: map[place]Line{}, offsets: map[groupPlace][]level{},
		takes: map[string]map[string]map[string]bool{}, effects: map[string][]Record{}, letters: map[string][]letter{},
		rows: map[string]map[string]Row{}, idle: map[string]Line{}, final: map[string]Line{},
	}
}

func (b *book) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open a history: %w", err)
	}
	defer f.Close()
	if err := Read(f, b.enter); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// same keeps one copy of a text.
func (b *book) same(s string) string {
	if kept, ok := b.text[s]; ok {
		return kept
	}
	b.text[s] = s
	return s
}

// enter takes in one line.
func (b *book) enter(l *Line) error {
	b.report.Lines++
	l.Actor, l.Topic, l.Group = b.same(l.Actor), b.same(l.Topic), b.same(l.Group)
	for i := range l.Records {
		r := &l.Records[i]
		r.Topic, r.Type = b.same(r.Topic), b.same(r.Type)
	}
	if l.Is != Saw {
		return b.enterDeed(l)
	}
	at := place{l.Topic, l.Partition}
	switch l.Op {
	case Reader:
		b.reading(l.Actor).topics = l.Topics
	case Mark:
		b.marks[at] = append(b.marks[at], level{l.At, l.Offset})
		if l.Final {
			b.ends[at] = *l
		}
	case Offset:
		b.offsets[groupPlace{l.Group, at}] = append(b.offsets[groupPlace{l.Group, at}], level{l.At, l.Offset})
	case Logged:
		log := b.whole
		if l.Committed {
			log = b.committed
		}
		for _, r := range l.Records {
			log[r.place()] = append(log[r.place()], r)
		}
	default:
		return b.enterService(l)
	}
	return nil
}

// enterService takes in what a service or its tables say.
func (b *book) enterService(l *Line) error {
	switch l.Op {
	case Takes:
		topics := b.takes[l.Group]
		if topics == nil {
			topics = map[string]map[string]bool{}
			b.takes[l.Group] = topics
		}
		if topics[l.Topic] == nil {
			topics[l.Topic] = map[string]bool{}
		}
		for _, t := range l.Types {
			topics[l.Topic][t] = true
		}
	case Effect:
		b.effects[l.Group] = append(b.effects[l.Group], l.Records...)
	case Letter:
		b.letters[l.Group] = append(b.letters[l.Group], letter{l.Records[0], l.Reason})
	case Waiting:
		b.waiting = append(b.waiting, *l)
	case Stored:
		if b.rows[l.Row.Table] == nil {
			b.rows[l.Row.Table] = map[string]Row{}
		}
		b.rows[l.Row.Table][l.Row.ID] = *l.Row
	case Sample:
		if l.Idle {
			b.idle[l.Key] = *l
		}
		if l.Final {
			b.final[l.Key] = *l
		}
	default:
		return fmt.Errorf("no fact is called %q", l.Op)
	}
	return nil
}

// enterDeed takes in the begin or the end of an operation.
func (b *book) enterDeed(l *Line) error {
	if l.Op == Poll {
		b.enterPoll(l)
		return nil
	}
	id := deedID{l.Actor, l.N}
	d := b.deeds[id]
	if d == nil {
		d = &deed{actor: l.Actor, n: l.N, op: l.Op, is: Begun, began: l.At}
		b.deeds[id] = d
		b.inOrder = append(b.inOrder, d)
	}
	d.txn = d.txn || l.Txn
	if l.Records != nil {
		d.writes = l.Records
	}
	d.key, d.order = cmp.Or(l.Key, d.key), cmp.Or(l.Order, d.order)
	switch l.Is {
	case Begun:
	case Ending:
		d.ending = l.At
	case OK, Fail, Info:
		d.is = l.Is
		d.placed = l.Is == OK && l.Records != nil
	default:
		return fmt.Errorf("no phase is called %q", l.Is)
	}
	return nil
}

func (b *book) reading(actor string) *reading {
	r := b.reads[actor]
	if r == nil {
		r = &reading{polled: map[place][]seen{}}
		b.reads[actor] = r
	}
	return r
}

func (b *book) enterPoll(l *Line) {
	for _, r := range l.Records {
		s := seen{r.spot(), r.ID, l.At}
		if l.Committed {
			polled := b.reading(l.Actor).polled
			polled[r.place()] = append(polled[r.place()], s)
		} else {
			b.others = append(b.others, s)
		}
	}
	b.report.Reads += int64(len(l.Records))
}

// judge puts what was read in order and checks it.
func (b *book) judge() *Report {
	for _, log := range []map[place][]Record{b.committed, b.whole} {
		for _, records := range log {
			slices.SortFunc(records, func(x, y Record) int { return cmp.Compare(x.Offset, y.Offset) })
		}
	}
	for _, records := range b.committed {
		b.report.Records += int64(len(records))
	}
	l := newLibrary(b)
	b.checkWrites(l)
	b.checkOffsets(l)
	b.checkReaders()
	b.checkWatermarks()
	b.checkGroups(l)
	b.checkShop()
	b.checkProcesses()
	b.report.sort()
	return b.report
}
