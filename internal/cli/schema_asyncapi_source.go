package cli

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/service"
)

const docsSourceLong = `

The services are those of this binary, all or those that are named; behind --, those of another binary,
which is run with --manifest; or those of files with what that prints. Topics of dead letters, parked
events and control are no part of what services promise each other, and are left out.`

// topicDoc is a topic as people and programs beyond the services see it.
type topicDoc struct {
	service.OwnedTopic
	Owner  string           // "": none of the services that are told of
	Keys   service.Contract // of its keys; empty: they are texts
	Events []eventDoc       // by type
}

// eventDoc is an event type of a topic.
type eventDoc struct {
	Type     string
	Contract service.Contract // zero where the owner is not told of
	Writers  []string         // services, sorted
	Readers  []string         // services, sorted
}

// described are the manifests, with contracts, of all that the command line names, by service.
func (a *app) described(cmd *cobra.Command, s topicSource, args []string) ([]service.Manifest, error) {
	names, binary := args, []string(nil)
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		if names, binary = args[:dash], args[dash:]; len(binary) == 0 {
			return nil, usagef("want the command line of a service behind --")
		}
	}
	var all []service.Manifest
	for _, file := range s.files {
		found, err := readManifests(file)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(binary) > 0 {
		found, err := a.manifestsOfBinary(cmd.Context(), binary)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(names) > 0 || len(s.files)+len(binary) == 0 {
		services, err := a.chosen(names)
		if err != nil {
			return nil, err
		}
		for _, c := range services {
			m, err := c.Describe(s.prefix)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return apart(all)
}

var errNoManifest = errors.New("a manifest names no service: it is not what a service's --manifest prints")

// apart sorts manifests by their services and refuses two of one.
func apart(all []service.Manifest) ([]service.Manifest, error) {
	if len(all) == 0 {
		return nil, usagef("there are no services in this binary: name a manifest with --file, or -- and the command line of a service")
	}
	slices.SortFunc(all, func(a, b service.Manifest) int { return strings.Compare(a.Service, b.Service) })
	for i, m := range all {
		if m.Service == "" {
			return nil, errNoManifest
		}
		if i > 0 && all[i-1].Service == m.Service {
			return nil, usagef("service %s is there twice: name it once", m.Service)
		}
	}
	return all, nil
}

// topicDocs are the topics of services, by name.
func topicDocs(manifests []service.Manifest) []topicDoc {
	topics := map[string]*topicDoc{}
	events := map[string]map[string]*eventDoc{}
	topic := func(name string) *topicDoc {
		if topics[name] == nil {
			topics[name], events[name] = &topicDoc{OwnedTopic: service.OwnedTopic{Topic: name}}, map[string]*eventDoc{}
		}
		return topics[name]
	}
	event := func(name, typ string) *eventDoc {
		topic(name)
		if events[name][typ] == nil {
			events[name][typ] = &eventDoc{Type: typ}
		}
		return events[name][typ]
	}
	for _, m := range manifests {
		for _, t := range m.Owns {
			own := topic(t.Topic)
			own.OwnedTopic, own.Owner = t, m.Service
		}
		for _, p := range m.Produces {
			e := event(p.Topic, p.Type)
			e.Writers = append(e.Writers, m.Service)
		}
		for _, c := range m.Consumes {
			for _, typ := range c.Types {
				e := event(c.Topic, typ)
				e.Readers = append(e.Readers, m.Service)
			}
		}
		for _, c := range m.Contracts {
			if c.Key {
				topic(c.Topic).Keys = c
				continue
			}
			event(c.Topic, c.Event).Contract = c
		}
	}
	var all []topicDoc
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		for _, typ := range slices.Sorted(maps.Keys(events[name])) {
			e := events[name][typ]
			e.Readers = slices.Compact(e.Readers)
			topics[name].Events = append(topics[name].Events, *e)
		}
		all = append(all, *topics[name])
	}
	return all
}
