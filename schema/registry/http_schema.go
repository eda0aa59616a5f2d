package registry

import (
	"slices"
	"strconv"

	"github.com/leatdev/leat/schema"
)

// maxSchemas is how many schemas one answer holds at most.
const maxSchemas = 1000

func (c *call) listSchemas() (any, error) {
	prefix := anyContext
	if c.query.Has("subjectPrefix") {
		prefix = c.query.Get("subjectPrefix")
	}
	var found []*version
	var entities []entity
	var err error
	c.look(func(s *state) {
		aliases := map[string][]string{}
		if c.flag("aliases") {
			for subject := range s.settings {
				if to := s.aliased(subject); to != subject {
					aliases[to] = append(aliases[to], subject)
				}
			}
		}
		for _, name := range s.withPrefix(prefix) {
			if c.mayRead(name) {
				found = append(found, c.listed(s, name)...)
			}
		}
		if found, err = page(c, found, maxSchemas); err != nil {
			return
		}
		entities = make([]entity, len(found))
		for i, v := range found {
			entities[i] = v.entity()
			entities[i].Aliases = slices.Sorted(slices.Values(aliases[v.subject]))
		}
	})
	return entities, err
}

// listed are the versions of a subject that a list asks for.
func (c *call) listed(s *state, subject string) (found []*version) {
	rule := c.query.Get("ruleType")
	for _, v := range slices.Backward(s.versions(subject)) {
		if v.deleted && !c.flag("deleted") || rule != "" && !v.contract.rules.has(rule) {
			continue
		}
		if found = append(found, v); c.flag("latestOnly") {
			break
		}
	}
	slices.Reverse(found)
	return found
}

// has says whether there is a rule of the type.
func (s *ruleSet) has(kind string) bool {
	if s == nil {
		return false
	}
	return slices.ContainsFunc(slices.Concat(s.MigrationRules, s.DomainRules, s.EncodingRules), func(r rule) bool { return r.Type == kind })
}

func (c *call) types() (any, error) {
	types := make([]schema.Type, len(c.cfg.Languages))
	for i, l := range c.cfg.Languages {
		types[i] = l.Type()
	}
	return types, nil
}

// idAsked is a version with the id that a path names.
func (c *call) idAsked(s *state) (*version, error) {
	n, err := strconv.ParseInt(c.part("id"), 10, 32)
	if err != nil {
		return nil, fault(404, "HTTP 404 Not Found")
	}
	v := s.byIDAnywhere(int32(n), c.subject)
	if v == nil || !c.mayReadID(s, v) {
		return nil, noSchemaOf(n)
	}
	return v, nil
}

func (c *call) byID() (any, error) {
	var e entity
	err := c.formed(c.idAsked, &e)
	if c.flag("fetchMaxId") && err == nil {
		c.look(func(s *state) {
			highest := s.contexts[contextOf(e.Subject)].highest
			e.MaxID = &highest
		})
	}
	e.ID = nil
	return e, err
}

func (c *call) textByID() (any, error) {
	var e entity
	err := c.formed(c.idAsked, &e)
	return text(e.Schema), err
}

// places are the versions that an id stands for, those that the caller may see.
func (c *call) places() (places []subjectVersion, err error) {
	places = []subjectVersion{}
	c.look(func(s *state) {
		var v *version
		if v, err = c.idAsked(s); err != nil {
			return
		}
		for _, other := range s.contexts[contextOf(v.subject)].ids[v.id] {
			if (!other.deleted || c.flag("deleted")) && c.mayRead(other.subject) {
				places = append(places, subjectVersion{other.subject, other.number})
			}
		}
	})
	return places, err
}

func (c *call) subjectsOfID() (any, error) {
	places, err := c.places()
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, p := range places {
		if !slices.Contains(names, p.Subject) {
			names = append(names, p.Subject)
		}
	}
	return page(c, names, 0)
}

func (c *call) versionsOfID() (any, error) {
	places, err := c.places()
	if err != nil {
		return nil, err
	}
	return page(c, places, 0)
}

// withGUID are a version for each id of each context that a GUID has.
func (c *call) withGUID(s *state, g schema.GUID) (found []*version) {
	for _, context := range s.contextNames() {
		sc := s.contexts[context]
		if sc == nil {
			continue
		}
		for _, l := range c.cfg.Languages {
			if id, ok := sc.byID[identity{g, l.Type()}]; ok {
				if v := sc.ids[id][len(sc.ids[id])-1]; c.mayReadID(s, v) {
					found = append(found, v)
				}
			}
		}
	}
	return found
}

func (c *call) byGUID() (any, error) {
	g, err := schema.ParseGUID(c.part("guid"))
	if err != nil {
		return nil, noSchemaOf(c.part("guid"))
	}
	var e entity
	err = c.formed(func(s *state) (*version, error) {
		if found := c.withGUID(s, g); len(found) > 0 {
			return found[0], nil
		}
		return nil, noSchemaOf(g)
	}, &e)
	e.Subject, e.Version, e.ID = "", 0, nil
	return e, err
}

func (c *call) idsOfGUID() (any, error) {
	g, err := schema.ParseGUID(c.part("guid"))
	if err != nil {
		return nil, noSchemaOf(c.part("guid"))
	}
	ids := []contextID{}
	c.look(func(s *state) {
		for _, v := range c.withGUID(s, g) {
			ids = append(ids, contextID{contextOf(v.subject), v.id})
		}
	})
	if len(ids) == 0 {
		return nil, noSchemaOf(g)
	}
	return ids, nil
}
