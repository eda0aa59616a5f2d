package registry

// register makes a schema a version of its subject, unless it is one. Who leads sees then all that was
// acknowledged; who does not tells of what it has read of the log, without asking anyone, so that a
// client that registers what there is needs no leader.
func (c *call) register() (any, error) {
	cand, err := c.candidate()
	if err != nil {
		return nil, err
	}
	if _, self := c.cfg.Log.Leader(); !self {
		if is := c.standing(cand); is != nil {
			return c.registered("known", is), nil
		}
		if done, err := c.forward(); done || err != nil {
			return nil, err
		}
	}
	is, fresh, err := c.registerHere(cand)
	switch {
	case err != nil:
		c.metrics.verdicts.With("refused").Inc()
		return nil, err
	case fresh:
		return c.registered("new", is), nil
	}
	return c.registered("known", is), nil
}

func (c *call) registered(verdict string, is *entity) entity {
	c.metrics.verdicts.With(verdict).Inc()
	is.Subject = ""
	return *is
}

// standing is the version that the candidate is as far as the log was read. A fault is left to the
// leader, who may have read more.
func (c *call) standing(cand candidate) (is *entity) {
	c.weigh(func(s *state) {
		if v, _ := c.judge.standing(s, cand, c.flag("normalize")); v != nil {
			known := v.entity()
			is = &known
		}
	})
	return is
}

// registerHere lets the log decide. What is a version already needs no word of it.
func (c *call) registerHere(cand candidate) (is *entity, fresh bool, err error) {
	number := int32(0)
	err = c.write(c.r.Context(), func(s *state) ([]Record, *Fault) {
		is = nil
		v, records, f := c.judge.register(s, cand, c.flag("normalize"))
		if v != nil {
			known := v.entity()
			is = &known
		}
		if len(records) > 0 {
			k, _, _ := parseKey(records[len(records)-1].Key)
			number = k.version
		}
		return records, f
	})
	if err != nil || is != nil {
		return is, false, err
	}
	c.look(func(s *state) {
		if v := s.version(cand.subject, number); v != nil {
			made := v.entity()
			is = &made
		}
	})
	if is == nil {
		return nil, false, noVersion(number) // it was deleted before we could look
	}
	return is, true, nil
}
