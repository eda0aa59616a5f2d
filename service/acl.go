package service

import (
	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/redrive"
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
	list = append(list, m.shareACLs(checkOnly)...)
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
		if c.Share == "" {
			topic(c.Redrive, "take dead letters back", "Read")
		}
		if c.Park != "" {
			made(c.Park, "park events and read them again", "Read", "Write")
			if !checkOnly { // partitions that its source was given
				topic(c.Park, "grow with its source", "Alter")
			}
		}
	}
	for _, c := range m.Consumes {
		for _, r := range c.Retries {
			made(r.Topic, "let events wait and read them again", "Read", "Write")
			if r.Group != m.Group {
				list = append(list, kafka.ACL{Resource: kafka.GroupResource, Name: r.Group, Operations: []string{"Read"}, Why: "join the group of a retry topic and commit offsets"})
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
		if !checkOnly {
			topic(m.Outbox.PositionTopic, "grow with the outbox's shards", "Alter")
		}
		transactions(m.Outbox.TransactionalID, "relay the outbox in transactions")
	}
	return list
}

// OperatorACLs are the least rights of a person who looks at the service's group and commands it (leat
// group), and who looks at its dead letters and gives them back or discards them (leat dlq).
func (m Manifest) OperatorACLs() []kafka.ACL {
	var list []kafka.ACL
	add := func(resource kafka.Resource, name string, prefixed bool, why string, operations ...string) {
		list = append(list, kafka.ACL{Resource: resource, Name: name, Prefixed: prefixed, Operations: operations, Why: why})
	}
	if m.Group != "" {
		add(kafka.GroupResource, m.Group, false, "see how far the group is", "Describe")
		add(kafka.TopicResource, m.Control, false, "command it, and see what it was told and what its inbox remembers", "Read", "Write")
	}
	for _, c := range m.Consumes {
		add(kafka.TopicResource, c.Topic, false, "see how far it goes", "Describe")
		for _, r := range c.Retries {
			add(kafka.TopicResource, r.Topic, false, "see how far it goes", "Describe")
		}
		add(kafka.TopicResource, c.DeadLetters, false, "read dead letters, and note what is done", "Read", "Write", "DescribeConfigs")
		if c.Share != "" { // nothing goes back
			add(kafka.GroupResource, c.Share, false, "see that it is a share group", "Describe")
			continue
		}
		if c.Park != "" {
			add(kafka.TopicResource, c.Park, false, "give events back, and see what becomes of them", "Read", "Write", "DescribeConfigs")
			add(kafka.TopicResource, c.Redrive, false, "see what went back before the service parked", "Read")
			continue
		}
		add(kafka.TopicResource, leat.ParkTopic(c.Topic, m.Group), false, "see that nothing is parked", "Read")
		add(kafka.TopicResource, c.Redrive, false, "give events back, and see what becomes of them", "Read", "Write", "DescribeConfigs", "Create", "AlterConfigs")
	}
	for _, c := range m.Consumes {
		add(kafka.TransactionalIDResource, redrive.TransactionalID(m.GroupOf(c), c.Topic), false, "event and note in one transaction", "Write")
	}
	return list
}
