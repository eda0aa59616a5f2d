package registry

import (
	"encoding/json"
	"net/http"
	"slices"
)

// config tells of settings: those of the subject, or with defaultToGlobal those that hold for it.
func (c *call) config() (any, error) {
	var in settings
	found := true
	c.look(func(s *state) {
		own := s.settings[c.subject]
		switch {
		case own != nil && !c.flag("defaultToGlobal"):
			in = *own
			if c.subject == "" && in.CompatibilityLevel == "" {
				in.CompatibilityLevel = string(c.cfg.Level)
			}
		case c.subject == "" || c.flag("defaultToGlobal"):
			in = s.settingsOf(c.subject, c.cfg.Level)
		default:
			found = false
		}
	})
	if !found {
		return nil, noSettings(c.subject)
	}
	return in, nil
}

func (c *call) putConfig() (any, error) {
	var request map[string]json.RawMessage
	if err := c.decode(&request); err != nil {
		return nil, err
	}
	if !validSubject(c.subject, true) {
		return nil, invalidSubject(c.subject)
	}
	err := c.write(c.r.Context(), func(s *state) ([]Record, *Fault) { return s.configure(c.subject, request) })
	return json.RawMessage(c.body), err
}

func (c *call) deleteConfig() (any, error) {
	var old settings
	err := c.write(c.r.Context(), func(s *state) (records []Record, f *Fault) {
		old, records, f = s.unconfigure(c.subject)
		return records, f
	})
	if old.CompatibilityLevel == "" {
		old.CompatibilityLevel = string(c.cfg.Level)
	}
	return old, err
}

// modeBody is a mode in requests and answers.
type modeBody struct {
	Mode mode `json:"mode"`
}

func (c *call) mode() (any, error) {
	var m mode
	c.look(func(s *state) {
		m = s.modes[c.subject]
		if c.subject == "" || c.flag("defaultToGlobal") || s.modeOf(c.subject) == readOnlyOverride {
			m = s.modeOf(c.subject)
		}
	})
	if m == "" {
		return nil, noMode(c.subject)
	}
	return modeBody{m}, nil
}

func (c *call) putMode() (any, error) {
	var request modeBody
	if err := c.decode(&request); err != nil {
		return nil, err
	}
	if !validSubject(c.subject, true) {
		return nil, invalidSubject(c.subject)
	}
	err := c.write(c.r.Context(), func(s *state) ([]Record, *Fault) {
		return s.setMode(c.subject, string(request.Mode), c.flag("force"))
	})
	return json.RawMessage(c.body), err
}

func (c *call) deleteMode() (any, error) {
	var old mode
	err := c.write(c.r.Context(), func(s *state) (records []Record, f *Fault) {
		old, records, f = s.unsetMode(c.subject, c.flag("recursive"))
		return records, f
	})
	return modeBody{old}, err
}

func (c *call) listContexts() (any, error) {
	prefix := c.query.Get("contextPrefix")
	var names []string
	c.look(func(s *state) { names = s.contextNames() })
	names = slices.DeleteFunc(names, func(name string) bool { return len(name) < len(prefix) || name[:len(prefix)] != prefix })
	return page(c, names, 0)
}

func (c *call) deleteContext() (any, error) {
	prefix, ok := normalContext(c.part("context"))
	if !ok || prefix == "" {
		return nil, fault(http.StatusBadRequest, "'%s' is no context that can be deleted", c.part("context"))
	}
	err := c.write(c.r.Context(), func(s *state) ([]Record, *Fault) { return s.deleteContext(contextOf(prefix)) })
	return none{}, err
}

// clusterID names the registry as Confluent's does; there is no cluster behind every log.
func (c *call) clusterID() (any, error) {
	return map[string]any{"id": "", "scope": map[string]any{
		"path": []string{}, "clusters": map[string]string{"schema-registry-cluster": "schema-registry"},
	}}, nil
}

func (c *call) serverVersion() (any, error) {
	return map[string]string{"version": c.cfg.Version, "commitId": ""}, nil
}

// poison shows the records of the log that were passed over, the last hundred.
func (c *call) poison() (any, error) {
	answer := struct {
		Count   int64    `json:"count"`
		Records []Poison `json:"records"`
	}{Records: []Poison{}}
	c.look(func(s *state) { answer.Count, answer.Records = s.poisoned, append(answer.Records, s.poison...) })
	return answer, nil
}

func (c *call) serveMetrics() (any, error) {
	c.w.Header().Del("Content-Type")
	c.cfg.Metrics.Handler().ServeHTTP(c.w, c.r)
	return nil, nil
}
