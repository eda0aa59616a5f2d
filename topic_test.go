package leat_test

import (
	"strings"
	"testing"

	"github.com/leatdev/leat"
)

type created struct {
	OrderID string `json:"order_id"`
	Cents   int64  `json:"cents"`
}

func (created) EventType() string  { return "shop.order.created.v1" }
func (e created) EventKey() string { return e.OrderID }

type cancelled struct{ OrderID string }

func (cancelled) EventType() string  { return "shop.order.cancelled.v1" }
func (e cancelled) EventKey() string { return e.OrderID }

type plain struct{ Name string }

type nameless struct{}

func (nameless) EventType() string { return "" }

type panicky struct{ of *created }

func (p *panicky) EventType() string { return p.of.OrderID }

func TestTopicValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		topic leat.Topic
		want  []string // parts of the error; none: valid
	}{
		"plain":               {leat.Topic{Name: "shop.orders", Carries: []any{created{}, cancelled{}}}, nil},
		"nothing carried":     {leat.Topic{Name: "raw"}, nil},
		"no name":             {leat.Topic{}, []string{"name is empty"}},
		"bad letter":          {leat.Topic{Name: "shop orders"}, []string{`' '`}},
		"dots only":           {leat.Topic{Name: ".."}, []string{"not allowed"}},
		"too long for a dlq":  {leat.Topic{Name: strings.Repeat("a", 201)}, []string{"longer than 200"}},
		"no method":           {leat.Topic{Name: "t", Carries: []any{plain{}}}, []string{"no EventType method", "leat.KindOf"}},
		"nil entry":           {leat.Topic{Name: "t", Carries: []any{nil}}, []string{"nil entry"}},
		"empty type":          {leat.Topic{Name: "t", Carries: []any{nameless{}}}, []string{"empty on its zero value"}},
		"panicking type":      {leat.Topic{Name: "t", Carries: []any{(*panicky)(nil)}}, []string{"panicked"}},
		"twice":               {leat.Topic{Name: "t", Carries: []any{created{}, created{}}}, []string{"listed twice"}},
		"two faults":          {leat.Topic{Name: "a b", Partitions: -1}, []string{"' '", "negative"}},
		"foreign of its own":  {leat.Topic{Name: "t", Foreign: created{}}, nil},
		"foreign also listed": {leat.Topic{Name: "t", Carries: []any{created{}}, Foreign: created{}}, nil},
		"kind for plain type": {leat.Topic{Name: "t", Carries: []any{leat.KindOf("x.y.z.v1", func(p plain) string { return p.Name })}}, nil},
		"empty kind":          {leat.Topic{Name: "t", Carries: []any{leat.Kind{}}}, []string{"empty leat.Kind"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.topic.Validate()
			if len(c.want) == 0 {
				if err != nil {
					t.Fatalf("Validate: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("Validate found nothing")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestCatalogRefusesATypeOnTwoTopics(t *testing.T) {
	t.Parallel()
	_, err := leat.NewCatalog(
		leat.Topic{Name: "a", Carries: []any{created{}}},
		leat.Topic{Name: "b", Carries: []any{created{}}},
	)
	if err == nil || !strings.Contains(err.Error(), "two topics") {
		t.Fatalf("err = %v", err)
	}
	if _, err := leat.NewCatalog(leat.Topic{Name: "a"}, leat.Topic{Name: "a"}); err == nil {
		t.Fatal("a topic was declared twice")
	}
}

func TestCatalogFindsKinds(t *testing.T) {
	t.Parallel()
	c, err := leat.NewCatalog(leat.Topic{Name: "shop.orders", Carries: []any{created{}, leat.KindOf("shop.plain.v1", func(p *plain) string { return p.Name })}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Of(created{})
	if err != nil || k.Type != "shop.order.created.v1" || k.Topic != "shop.orders" {
		t.Fatalf("Of(created) = %+v, %v", k, err)
	}
	if key, ok := k.Key(created{OrderID: "o1"}); !ok || key != "o1" {
		t.Fatalf("key %q %v", key, ok)
	}
	if key, ok := k.Key(created{}); ok {
		t.Fatalf("an empty key counts as %q", key)
	}
	k, err = c.Of(&plain{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if key, _ := k.Key(&plain{Name: "n"}); key != "n" {
		t.Fatalf("key %q", key)
	}
	if _, err := c.Of(&created{}); err == nil || !strings.Contains(err.Error(), "Carries") {
		t.Fatalf("Of(pointer) = %v", err)
	}
	if c.Named("shop.orders", "shop.plain.v1") == nil || c.Named("other", "shop.plain.v1") != nil {
		t.Fatal("Named looks at the wrong topic")
	}
}
