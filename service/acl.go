package service

import (
	"github.com/leatdev/leat/kafka"
)

// ACLs are the least rights on the cluster that let the service do all it does, and nothing else. A
// service that finds its topics made (--topics check, topics made by `leat topic apply`) needs no
// right to make or change them: checkOnly leaves these out.
func (m Manifest) ACLs(checkOnly bool) []kafka.ACL {
	var list []kafka.ACL
	topic := func(name, why string, operations ...string) {
		list = append(list, kafka.ACL{Resource: kafka.TopicResource, Name: name, Operations: operations, Why: why})
	}
	made := func(name, why string, operations ...string) {
		operations = append(operations, "DescribeConfigs")
		if !checkOnly {
			operations = append(operations, "Create", "AlterConfigs")
		}
		topic(name, why, operations...)
	}
	if m.Group != "" {
		list = append(list, kafka.ACL{Resource: kafka.GroupResource, Name: m.Group, Operations: []string{"Read"}, Why: "join the group and commit offsets"})
	}
	transactions := func(id, why string) {
		list = append(list, kafka.ACL{Resource: kafka.TransactionalIDResource, Name: id, Prefixed: true, Operations: []string{"Write"}, Why: why})
	}
	if m.Control != "" {
		made(m.Control, "take commands to the group and answer them", "Read", "Write")
	}
	if m.TransactionalIDs != "" {
		transactions(m.TransactionalIDs, "transform events in transactions")
	}
	owned := map[string]bool{}
	for _, t := range m.Owns {
		owned[t.Topic] = true
	}
	for _, c := range m.Consumes {
		if owned[c.Topic] {
			continue // below, with the right to read
		}
		topic(c.Topic, "read events", "Read", "DescribeConfigs")
	}
	for _, c := range m.Consumes {
		made(c.DeadLetters, "write dead letters", "Write")
		if c.Park != "" {
			made(c.Park, "park events and read them again", "Read", "Write")
			if !checkOnly { // partitions that its source was given
				topic(c.Park, "grow with its source", "Alter")
			}
		}
	}
	for _, t := range m.Owns {
		operations := []string{"Write"}
		for _, c := range m.Consumes {
			if c.Topic == t.Topic {
				operations = append(operations, "Read")
			}
		}
		made(t.Topic, "write events", operations...)
	}
	if m.Outbox != nil {
		for _, t := range m.Outbox.DeadLetters {
			made(t, "leave a letter for an event that can not leave", "Write")
		}
		made(m.Outbox.PositionTopic, "keep the outbox's position", "Read", "Write")
		transactions(m.Outbox.TransactionalID, "relay the outbox in transactions")
	}
	return list
}
