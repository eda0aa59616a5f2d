package leat

import (
	"errors"
	"fmt"
	"reflect"
)

// Upcast turns an event of an older type into the newer one that took its place, for a contract
// that had to break: handlers of the newer type then get the older events too. It is made by
// [UpcastBy] and stands in [Topic.Upcasts].
type Upcast struct {
	from, to any // zero values
	by       func(any) (any, error)
}

// UpcastBy is the step from an older event type to the one that came after it. fn is pure: the
// same event gives the same one each time it is read. An error sends the event to the dead letters
// as undecodable.
//
//	Upcasts: []leat.Upcast{leat.UpcastBy(func(old OrderCreatedV1) (OrderCreated, error) { ... })}
func UpcastBy[From, To any](fn func(From) (To, error)) Upcast {
	var from From
	var to To
	return Upcast{from: from, to: to, by: func(v any) (any, error) { return fn(v.(From)) }}
}

// upcaster is one step with the contract that it starts from.
type upcaster struct {
	kind Kind // how the older event is read
	by   func(any) (any, error)
}

// Older are the event types that upcasts turn into this kind, the nearest first.
func (k *Kind) Older() []string {
	names := make([]string, 0, len(k.older))
	for _, chain := range k.older {
		names = append(names, chain[0].kind.Type)
	}
	return names
}

// attach gives each kind the chains of upcasts that end in it.
func attach(kinds []Kind, upcasts []Upcast) error {
	byGo := map[reflect.Type]Kind{}
	for _, k := range kinds {
		byGo[k.Go] = k
	}
	steps := map[reflect.Type]upcaster{} // by what they lead to
	for _, u := range upcasts {
		if u.by == nil {
			return errors.New("an empty Upcast: make it with leat.UpcastBy")
		}
		from, to := reflect.TypeOf(u.from), reflect.TypeOf(u.to)
		k, carried := byGo[from]
		switch {
		case !carried:
			return fmt.Errorf("an upcast from %v, which it does not carry: list it in Carries", from)
		case byGo[to].Go == nil:
			return fmt.Errorf("an upcast to %v, which it does not carry: list it in Carries", to)
		case steps[to].by != nil:
			return fmt.Errorf("two upcasts to %v: chain them, one version after the other", to)
		}
		steps[to] = upcaster{k, u.by}
	}
	for i := range kinds {
		k := &kinds[i]
		var chain []upcaster
		for at := k.Go; ; {
			step, ok := steps[at]
			if !ok {
				break
			}
			if len(chain) == len(steps) {
				return fmt.Errorf("the upcasts to %v go round in a circle", k.Go)
			}
			chain = append([]upcaster{step}, chain...)
			k.older = append(k.older, chain)
			at = step.kind.Go
		}
	}
	return nil
}

// chainOf are the steps from events of the type to the kind, nil where there are none.
func (k *Kind) chainOf(eventType string) []upcaster {
	for _, chain := range k.older {
		if chain[0].kind.Type == eventType {
			return chain
		}
	}
	return nil
}

// upcast reads an older event and turns it into what v points to, step by step.
func upcast(codec Codec, w Wire, chain []upcaster, v any) (err error) {
	first := &chain[0].kind
	older := reflect.New(first.Go)
	if err := decodeData(codec, w, first, older.Interface()); err != nil {
		return err
	}
	at := older.Elem().Interface()
	for i := range chain {
		from := chain[i].kind.Type
		if at, err = chain[i].apply(at); err != nil {
			return fmt.Errorf("upcast %s: %w", from, err)
		}
	}
	reflect.ValueOf(v).Elem().Set(reflect.ValueOf(at))
	return nil
}

func (u *upcaster) apply(v any) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the function panicked: %v", p)
		}
	}()
	return u.by(v)
}
