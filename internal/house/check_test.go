package house

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const page = "A page.\n" + `
` + "```floors" + `
street     cmd/app shop shop/*
2 motion   consumer consumer/lane outbox
1 wires    kafka sqldb schema schema/avro
0 words    leat internal/telemetry
` + "```" + `
` + "```staircase" + `
0       leattest
1       leattest/broker leattest/server
street  leattest/stack test/*
` + "```" + `
` + "```sideways" + `
outbox    -> consumer
schema/*  -> schema
cmd/app   -> shop/*
shop/*    -> shop/contract
` + "```" + `
` + "```materials" + `
example.org/wire/admin  kafka
example.org/wire        kafka consumer
` + "```" + `
` + "```root" + `
.gitignore go.mod cmd consumer kafka leattest internal outbox schema shop sqldb test
` + "```" + `
`

// sound is a tree without a fault; each case below breaks one thing in it.
func sound() fstest.MapFS {
	files := map[string]string{
		"go.mod":                       "module m\n\ngo 1.26\n",
		".gitignore":                   "/bin/\n*.out\n",
		"doc.go":                       "// Package leat has words.\npackage leat\n",
		"doc_test.go":                  "package leat_test\n\nimport _ \"m/leattest\"\nimport _ \"example.org/wire\"\n",
		"internal/telemetry/t.go":      "// Package telemetry tells.\npackage telemetry\n\nimport _ \"example.org/free\"\n",
		"kafka/doc.go":                 "// Package kafka is a wire.\npackage kafka\n\nimport (\n\t_ \"example.org/wire/admin\"\n\t_ \"m\"\n)\n",
		"kafka/more.go":                "package kafka\n\nimport _ \"m/internal/kafka\"\n",
		"internal/kafka/k.go":          "// Package kafka is the wire's inside.\npackage kafka\n",
		"schema/doc.go":                "// Package schema has forms.\npackage schema\n",
		"schema/avro/doc.go":           "// Package avro is a form.\npackage avro\n\nimport _ \"m/schema\"\n",
		"sqldb/doc.go":                 "// Package sqldb is a wire.\npackage sqldb\n",
		"consumer/doc.go":              "// Package consumer consumes.\npackage consumer\n\nimport (\n\t_ \"example.org/wire\"\n\t_ \"m/consumer/lane\"\n\t_ \"m/kafka\"\n)\n",
		"consumer/c_test.go":           "package consumer_test\n\nimport (\n\t_ \"testing\"\n\n\t_ \"m/consumer\"\n\t_ \"m/leattest/broker\"\n)\n",
		"consumer/lane/doc.go":         "// Package lane is pure.\npackage lane\n",
		"outbox/doc.go":                "// Package outbox relays.\npackage outbox\n\nimport (\n\t_ \"m/consumer\"\n\t_ \"m/sqldb\"\n)\n",
		"leattest/doc.go":              "// Package leattest helps.\npackage leattest\n\nimport _ \"testing\"\n",
		"leattest/broker/doc.go":       "// Package broker brokers.\npackage broker\n\nimport (\n\t_ \"example.org/wire\"\n\t_ \"m/kafka\"\n\t_ \"m/leattest\"\n)\n",
		"leattest/server/doc.go":       "// Package server serves.\npackage server\n",
		"leattest/stack/doc.go":        "// Package stack stacks.\npackage stack\n\nimport _ \"m/shop/order\"\n",
		"test/servers/main.go":         "// Command servers runs.\npackage main\n\nimport _ \"m/leattest/server\"\n",
		"shop/doc.go":                  "// Package shop lists.\npackage shop\n\nimport _ \"m/shop/order\"\n",
		"shop/contract/doc.go":         "// Package contract speaks.\npackage contract\n",
		"shop/order/doc.go":            "// Package order orders.\npackage order\n\nimport (\n\t_ \"m/outbox\"\n\t_ \"m/shop/contract\"\n)\n",
		"cmd/app/main.go":              "// Command app is.\npackage main\n\nimport _ \"m/shop/order\"\n",
		"kafka/testdata/x.go":          "package nonsense\n\nimport _ \"m/nowhere\"\n",
		"test/bench/go.mod":            "module bench\n",
		"test/bench/main.go":           "package main\n\nimport _ \"example.org/peer\"\n",
		"bin/app":                      "",
		"cpu.out":                      "",
		"internal/telemetry/.hid/h.go": "package h\n",
	}
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func check(t *testing.T, tree fstest.MapFS) []string {
	t.Helper()
	law, err := Read(page)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := law.Check(tree)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func TestASoundTreeHasNoFault(t *testing.T) {
	t.Parallel()
	if faults := check(t, sound()); len(faults) > 0 {
		t.Error(strings.Join(faults, "\n"))
	}
}

func TestEachRuleTurnsRed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file, text string
		want             string
	}{
		{
			"a directory without a floor", "kafka/orders/o.go", "// Package orders is new.\npackage orders\n",
			"kafka/orders: a room the page does not know: give it a floor",
		},
		{
			"a test's directory without a floor", "kafka/more/o_test.go", "package more\n",
			"kafka/more: a room the page does not know: give it a floor",
		},
		{
			"an arrow up", "kafka/up.go", "package kafka\n\nimport _ \"m/consumer\"\n",
			"kafka/up.go:3: imports consumer: floor 1 to floor 2 is neither down nor a sideways arrow of the page",
		},
		{
			"an arrow up in a test", "kafka/up_test.go", "package kafka_test\n\nimport _ \"m/consumer\"\n",
			"kafka/up_test.go:3: imports consumer: floor 1 to floor 2 is neither down nor a sideways arrow of the page",
		},
		{
			"an arrow up behind a build tag", "kafka/up.go", "//go:build never\n\npackage kafka\n\nimport _ \"m/consumer\"\n",
			"kafka/up.go:5: imports consumer: floor 1 to floor 2 is neither down nor a sideways arrow of the page",
		},
		{
			"an arrow up in generated code", "kafka/up.go", "// Code generated by x. DO NOT EDIT.\n\npackage kafka\n\nimport _ \"m/consumer\"\n",
			"kafka/up.go:5: imports consumer: floor 1 to floor 2 is neither down nor a sideways arrow of the page",
		},
		{
			"an arrow sideways", "kafka/side.go", "package kafka\n\nimport _ \"m/sqldb\"\n",
			"kafka/side.go:3: imports sqldb: floor 1 to floor 1 is neither down nor a sideways arrow of the page",
		},
		{
			"a listed arrow the other way", "schema/side.go", "package schema\n\nimport _ \"m/schema/other\"\n",
			"schema/side.go:3: imports schema/other, a room the page does not know",
		},
		{
			"a sub-room into its room", "consumer/lane/side.go", "package lane\n\nimport _ \"m/consumer\"\n",
			"consumer/lane/side.go:3: imports consumer: floor 2 to floor 2 is neither down nor a sideways arrow of the page",
		},
		{
			"one service into another", "shop/payment/p.go", "// Package payment pays.\npackage payment\n\nimport _ \"m/shop/order\"\n",
			"shop/payment/p.go:4: imports shop/order: floor 6 to floor 6 is neither down nor a sideways arrow of the page",
		},
		{
			"the kit in production code", "consumer/kit.go", "package consumer\n\nimport _ \"m/leattest\"\n",
			"consumer/kit.go:3: imports leattest: only packages named x_test and the staircase may",
		},
		{
			"the kit in a test from inside", "consumer/kit_test.go", "package consumer\n\nimport _ \"m/leattest/broker\"\n",
			"consumer/kit_test.go:3: imports leattest/broker: only packages named x_test and the staircase may",
		},
		{
			"a name like a test's in production code", "outbox/kit.go", "// Package outbox_test is not one.\npackage outbox_test\n\nimport _ \"m/leattest\"\n",
			"outbox/kit.go:4: imports leattest: only packages named x_test and the staircase may",
		},
		{
			"the kit above its floors", "leattest/broker/high.go", "package broker\n\nimport _ \"m/consumer\"\n",
			"leattest/broker/high.go:3: imports consumer on floor 2: leattest/broker may use floors up to 1",
		},
		{
			"a material in a foreign room", "outbox/wire.go", "package outbox\n\nimport _ \"example.org/wire/proto\"\n",
			"outbox/wire.go:3: imports example.org/wire/proto: only kafka, consumer may",
		},
		{
			"a part of a material with its own rule", "consumer/wire.go", "package consumer\n\nimport _ \"example.org/wire/admin\"\n",
			"consumer/wire.go:3: imports example.org/wire/admin: only kafka may",
		},
		{
			"anything foreign in the language", "wire.go", "package leat\n\nimport _ \"example.org/free\"\n",
			"wire.go:3: imports example.org/free: the language is made of the standard library alone",
		},
		{
			"testing in production code", "outbox/t.go", "package outbox\n\nimport _ \"testing/fstest\"\n",
			"outbox/t.go:3: imports testing/fstest in production code",
		},
		{
			"testing in the room that mains use", "leattest/server/t.go", "package server\n\nimport _ \"testing\"\n",
			"leattest/server/t.go:3: imports testing in production code",
		},
		{
			"something internal in the shop", "shop/order/i.go", "package order\n\nimport _ \"m/internal/telemetry\"\n",
			"shop/order/i.go:3: imports internal/telemetry: the shop uses public doors only",
		},
		{
			"no package comment", "sqldb/doc.go", "package sqldb\n",
			"sqldb: package sqldb has 0 package comments, want one",
		},
		{
			"two package comments", "sqldb/two.go", "// Package sqldb again.\npackage sqldb\n",
			"sqldb: package sqldb has 2 package comments, want one",
		},
		{
			"a generator's mark for a package comment", "sqldb/doc.go", "// Code generated by x. DO NOT EDIT.\npackage sqldb\n",
			"sqldb: package sqldb has 0 package comments, want one",
		},
		{
			"a file too long", "sqldb/long.go", "package sqldb\n" + strings.Repeat("\n", 800),
			"sqldb/long.go:801: 801 lines: more than 800 are two files",
		},
		{
			"a stray file at the root", "NOTES.md", "notes\n",
			"NOTES.md: the root holds only what the page lists",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tree := sound()
			tree[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			if diff := cmp.Diff([]string{c.want}, check(t, tree)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPageWithFaultsIsNoLaw(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"a table is missing", "```sideways", "```", "find table sideways: the page has no closed block of that name"},
		{"a floor is no number", "2 motion", "two motion", `read floor "two": want 0 to 5, or street`},
		{"an arrow has no target", "outbox    -> consumer", "outbox    ->", `read sideways arrow "outbox ->": want room -> rooms`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(strings.Replace(page, c.old, c.new, 1))
			if err == nil || err.Error() != c.want {
				t.Errorf("read: %v, want %s", err, c.want)
			}
		})
	}
}
