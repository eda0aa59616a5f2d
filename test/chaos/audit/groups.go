package audit

import (
	"cmp"
	"maps"
	"slices"
)

// checkGroups: a group takes effect once of each event that it takes, in order per key, and gives up
// what nobody can handle; its offset is behind both.
func (b *book) checkGroups(l *library) {
	for _, group := range slices.Sorted(maps.Keys(b.takes)) {
		b.report.Effects += int64(len(b.effects[group]))
		b.report.Letters += int64(len(b.letters[group]))
		done := b.checkEffects(group, l)
		b.checkEffectOrder(group)
		given := b.checkLetters(group, done)
		for topic, types := range b.takes[group] {
			for _, at := range b.placesOf([]string{topic}) {
				b.checkDone(group, at, types, done, given)
			}
		}
	}
	for at, samples := range b.offsets {
		if before, after, ok := fell(samples); ok {
			b.report.find(OffsetBack, "group %s had committed %d on %s/%d, later %d", at.group, before, at.topic, at.partition, after)
		}
	}
}

// checkEffects returns what had an effect, by its identity.
func (b *book) checkEffects(group string, l *library) map[string]bool {
	done := map[string]bool{}
	for _, e := range b.effects[group] {
		if done[e.ID] {
			b.report.find(DoubledEffect, "%s took effect of %s twice, the second time at %v", group, e.ID, e.spot())
		}
		done[e.ID] = true
		if l.at[e.spot()] != e.ID {
			b.report.find(PhantomEffect, "%s took effect of %s at %v, where there is %q for those who read committed records", group, e.ID, e.spot(), l.at[e.spot()])
		}
	}
	return done
}

type keyPlace struct {
	place
	key string
}

// checkEffectOrder: the effects of a key's events come in the order in which the events lie.
func (b *book) checkEffectOrder(group string) {
	effects := slices.Clone(b.effects[group])
	slices.SortFunc(effects, func(x, y Record) int { return cmp.Compare(x.Seq, y.Seq) })
	last := map[keyPlace]Record{}
	seen := map[string]bool{}
	for _, e := range effects {
		if seen[e.ID] {
			continue // its second effect is a fault of its own
		}
		seen[e.ID] = true
		at := keyPlace{e.place(), e.Key}
		if before, ok := last[at]; ok && e.Offset < before.Offset {
			b.report.find(EffectOrder, "%s took effect of %v after %v, of one key %q", group, e.spot(), before.spot(), e.Key)
		}
		last[at] = e
	}
}

// checkLetters returns what was given up, by where it lies. Letters that are one by what they are about
// have to say the same.
func (b *book) checkLetters(group string, done map[string]bool) map[spot]bool {
	given := map[spot]bool{}
	first := map[spot]letter{}
	for _, l := range b.letters[group] {
		at := l.spot()
		given[at] = true
		if f, ok := first[at]; ok {
			if f.reason != l.reason || f.ID != l.ID {
				b.report.find(LetterClass, "%s gave %v up twice, for %s (%s) and for %s (%s)", group, at, f.reason, f.ID, l.reason, l.ID)
			}
			continue
		}
		first[at] = l
		if l.ID != "" && done[l.ID] {
			b.report.find(LetterClass, "%s gave %v (%s) up and took effect of it", group, at, l.ID)
		}
	}
	return given
}

// checkDone walks through a partition as a group has to.
func (b *book) checkDone(group string, at place, types, done map[string]bool, given map[spot]bool) {
	committed := int64(0)
	for _, s := range b.offsets[groupPlace{group, at}] {
		committed = max(committed, s.value)
	}
	behind := int64(0)
	for i := range b.committed[at] {
		r := &b.committed[at][i]
		if r.Offset >= committed {
			behind++
			continue
		}
		letter := given[r.spot()]
		switch takes := types[r.Type]; {
		case r.Mark == Bad && (takes || r.Type == ""):
			if !letter {
				b.report.find(LetterMissing, "%s is past %v, which nobody can handle, and it has no dead letter", group, r.spot())
			}
		case letter:
			if !done[r.ID] { // otherwise it is told already
				b.report.find(LetterClass, "%s gave %v (%s, %s) up, and it is a good event", group, r.spot(), r.ID, r.Type)
			}
		case takes && r.Mark == "" && !done[r.ID]:
			b.report.find(OffsetAhead, "%s is past %v (%s, %s) without an effect", group, r.spot(), r.ID, r.Type)
		}
	}
	if behind > 0 {
		b.report.find(Lagging, "%s has committed %d on %s/%d, which has %d records more", group, committed, at.topic, at.partition, behind)
	}
}
