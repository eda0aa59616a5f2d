// Package route says what a group does with the records of its topics: which handler takes an event, in
// which lane it runs, and where it goes when its attempts are used up.
//
// # What
//
// A [Table] has a [Route] for each topic of a group's handlers; [Table.Returns] and [Table.Retries] are those of
// the topics by which events come back. [Route.Take] tells by the CloudEvents type, before anything is
// decoded, what becomes of a record. [Validate] holds the handlers of one topic to one policy.
//
// # Use
//
//	table := route.Table{}
//	table.Add(group, &route.Handler{Handler: h, Class: 1}, nil)
//	var r route.Record
//	if table[topic].Take(&r, record, strict) == route.Runs {
//		key := table[topic].Key(&r, seed)
//	}
//
// # Guarantees
//
// Events of one key have one lane, over all types of the topic that the group handles; one handler that
// asks for the order of the partition gets it for all. An event that waited or came back is what it was at
// its source.
//
// # Failure
//
// A record that is no event, or of a type that nobody takes where the group is strict, has no handler and
// says why in its history.
//
// # Test
//
// Package consumer's suites of order, letters, retry topics and upcasts.
package route
