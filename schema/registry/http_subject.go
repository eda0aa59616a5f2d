package registry

import (
	"slices"
	"strconv"
)

func (c *call) root() (any, error) { return struct{}{}, nil }

func (c *call) listSubjects() (any, error) {
	prefix := anyContext
	if c.query.Has("subjectPrefix") {
		prefix = c.query.Get("subjectPrefix")
	}
	deleted, only := c.flag("deleted"), c.flag("deletedOnly")
	names := []string{}
	c.look(func(s *state) {
		for _, name := range s.withPrefix(prefix) {
			live := s.counts(name, false)
			if c.mayRead(name) && (only && !live || !only && (live || deleted)) {
				names = append(names, name)
			}
		}
	})
	return page(c, names, 0)
}

// number reads a version's number in a path.
func (c *call) versionNumber() (number int32, latest bool, err error) {
	text := c.part("version")
	if text == "latest" || text == "-1" {
		return -1, true, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, false, invalidVersion(text)
	}
	return int32(n), false, nil
}

// versionAsked is the version that a path names. Where the subject is not in the default context
// and none was named, the other contexts are asked.
func (c *call) versionAsked(s *state, deleted bool) (*version, error) {
	number, latest, err := c.versionNumber()
	if err != nil {
		return nil, err
	}
	subjects := []string{c.subject}
	if context, name := splitSubject(c.subject); context == defaultContext {
		for _, other := range s.contextNames()[1:] {
			subjects = append(subjects, joinSubject(other, name))
		}
	}
	for _, subject := range subjects {
		v := s.version(subject, number)
		if latest {
			v = s.latest(subject)
		}
		if v != nil && (!v.deleted || deleted) && c.mayRead(subject) {
			return v, nil
		}
	}
	if !s.has(c.subject, deleted) {
		return nil, noSubject(c.subject)
	}
	return nil, noVersion(number)
}

func (c *call) version() (any, error) {
	var e entity
	err := c.formed(func(s *state) (*version, error) { return c.versionAsked(s, c.flag("deleted")) }, &e)
	return e, err
}

func (c *call) versionText() (any, error) {
	var e entity
	err := c.formed(func(s *state) (*version, error) { return c.versionAsked(s, c.flag("deleted")) }, &e)
	return text(e.Schema), err
}

// formed tells of the version that is found, its text in the form that the request asks for. Another
// form has to be made, which may take long.
func (c *call) formed(find func(*state) (*version, error), e *entity) (err error) {
	see := c.look
	form := c.query.Get("format")
	if form != "" {
		see = c.weigh
	}
	see(func(s *state) {
		var v *version
		if v, err = find(s); err != nil {
			return
		}
		*e = v.entity()
		if form != "" {
			var f *Fault
			if e.Schema, f = c.judge.form(s, v, form); f != nil {
				err = f
			}
		}
	})
	return err
}

func (c *call) listVersions() (any, error) {
	deleted, only, negative := c.flag("deleted"), c.flag("deletedOnly"), c.flag("deletedAsNegative")
	numbers := []int32{}
	found := false
	c.look(func(s *state) {
		found = s.has(c.subject, deleted || only || negative)
		for _, v := range s.versions(c.subject) {
			switch {
			case negative && v.deleted:
				numbers = append(numbers, -v.number)
			case v.deleted && (deleted || only), !v.deleted && !only:
				numbers = append(numbers, v.number)
			}
		}
	})
	if !found {
		return nil, noSubject(c.subject)
	}
	return page(c, numbers, 0)
}

func (c *call) referencedBy() (any, error) {
	ids := []int32{}
	var err error
	c.look(func(s *state) {
		var v *version
		if v, err = c.versionAsked(s, true); err != nil {
			return
		}
		for _, user := range s.usersOf(v.subject, v.number, c.flag("deleted")) {
			ids = append(ids, user.id)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return page(c, slices.Compact(ids), 0)
}

// lookup finds a schema under its subject.
func (c *call) lookup() (any, error) {
	cand, err := c.candidate()
	if err != nil {
		return nil, err
	}
	deleted := c.flag("deleted")
	var e *entity
	c.weigh(func(s *state) {
		v, f := c.judge.lookupAnywhere(s, cand, c.flag("normalize"), deleted)
		switch {
		case f != nil:
			err = f
		case v != nil && c.mayRead(v.subject):
			found := v.entity()
			e = &found
			if form := c.query.Get("format"); form != "" {
				if e.Schema, f = c.judge.form(s, v, form); f != nil {
					err = f
				}
			}
		case !s.has(cand.subject, deleted):
			err = noSubject(cand.subject)
		default:
			err = noSchema()
		}
	})
	if err != nil {
		return nil, err
	}
	return *e, nil
}

// latestWith is the newest version whose metadata has the properties asked for, by the parameters key
// and value.
func (c *call) latestWith() (any, error) {
	keys, values := c.query["key"], c.query["value"]
	var e entity
	err := c.formed(func(s *state) (*version, error) {
		for _, v := range slices.Backward(s.versions(c.subject)) {
			if v.deleted && !c.flag("deleted") {
				continue
			}
			fits := true
			for i, key := range keys {
				got, ok := v.contract.metadata.property(key)
				fits = fits && ok && i < len(values) && got == values[i]
			}
			if fits {
				return v, nil
			}
		}
		if !s.has(c.subject, c.flag("deleted")) {
			return nil, noSubject(c.subject)
		}
		return nil, noSchema()
	}, &e)
	return e, err
}

func (c *call) deleteSubject() (any, error) {
	permanent := c.flag("permanent")
	if err := c.need(admin, permanent); err != nil {
		return nil, err
	}
	var numbers []int32
	err := c.write(c.r.Context(), func(s *state) (records []Record, f *Fault) {
		numbers, records, f = s.deleteSubject(c.subject, permanent)
		return records, f
	})
	return numbers, err
}

func (c *call) deleteVersion() (any, error) {
	number, latest, err := c.versionNumber()
	if err != nil {
		return nil, err
	}
	permanent := c.flag("permanent")
	if err := c.need(admin, permanent); err != nil {
		return nil, err
	}
	var deleted int32
	err = c.write(c.r.Context(), func(s *state) (records []Record, f *Fault) {
		deleted, records, f = s.deleteVersion(c.subject, number, latest, permanent)
		return records, f
	})
	return deleted, err
}

// compatible asks whether a schema would be let in.
func (c *call) compatible() (any, error) {
	number, latest := int32(0), false
	if c.part("version") != "" {
		var err error
		if number, latest, err = c.versionNumber(); err != nil {
			return nil, err
		}
	}
	cand, err := c.candidate()
	if err != nil {
		return nil, err
	}
	var why []string
	var f *Fault
	c.weigh(func(s *state) { why, f = c.judge.against(s, cand, number, latest, c.flag("normalize")) })
	verbose := c.flag("verbose")
	switch {
	case f != nil && verbose && f.Code == 42201:
		return verdict{Messages: []string{f.Message}}, nil
	case f != nil:
		return nil, f
	case verbose:
		return verdict{len(why) == 0, why}, nil
	}
	return verdict{Compatible: len(why) == 0}, nil
}
