package service

import (
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
)

var (
	nameShape   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`) })
	prefixShape = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9._-]{0,60}$`) })
)

// Validate names everything that is wrong with the declaration.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !nameShape().MatchString(c.Name) {
		fault("service name %q: want lower-case letters, digits and '-', beginning with a letter, at most 40 bytes", c.Name)
	}
	if _, err := leat.NewCatalog(c.Owns...); err != nil {
		fault("service %s: %w", c.Name, err)
	}
	if err := c.Encoding.Validate(); err != nil {
		fault("service %s: %w", c.Name, err)
	}
	type taken struct{ topic, typ string }
	handled := map[taken]bool{}
	for _, h := range c.Handlers {
		err := errors.Join(h.Err, h.Topic.Validate())
		if h.Bind == nil {
			err = h.Validate()
		}
		if err != nil {
			fault("service %s: %w", c.Name, err)
		}
		if at := (taken{h.Topic.Name, h.Kind.Type}); handled[at] {
			fault("service %s: two handlers of %s on %s: one handles a type", c.Name, at.typ, at.topic)
		} else {
			handled[at] = true
		}
	}
	if err := (consumer.TransformConfig{Owns: c.Owns}).Validate(c.Name, c.Handlers); err != nil {
		fault("service %s: %w", c.Name, err)
	}
	if err := c.Shared.validate(); err != nil {
		fault("service %s: %w", c.Name, err)
	}
	for _, h := range c.Shared.Handlers {
		if handled[taken{h.Topic.Name, h.Kind.Type}] {
			fault("service %s: %s on %s is in Handlers and in Shared: both groups would handle each event", c.Name, h.Kind.Type, h.Topic.Name)
		}
	}
	parts := map[string]bool{consumerPart: true, relayPart: true, sharePart: true}
	for _, p := range c.Parts {
		if p.Name == "" || p.Run == nil {
			fault("service %s: a part needs a Name and Run", c.Name)
		} else if parts[p.Name] {
			fault("service %s: part name %q is taken", c.Name, p.Name)
		}
		parts[p.Name] = true
	}
	return errors.Join(errs...)
}

// needsDatabase says whether the service can't do without.
func (c Config) needsDatabase() bool {
	if c.Migrations != nil {
		return true
	}
	for _, h := range c.Handlers {
		if h.Bind != nil {
			return true
		}
	}
	return false
}

func checkPrefix(text string) error {
	if !prefixShape().MatchString(text) {
		return fmt.Errorf("prefix %q: Kafka's names take letters, digits, '.', '_' and '-', and a prefix at most 60", text)
	}
	return nil
}
