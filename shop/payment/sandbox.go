package payment

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/sqldb"
)

// Sandbox is a gateway that is none: it keeps books, in tables of its own and transactions of its
// own, and moves no money. As with other gateways' sandboxes, the customer says how it behaves,
// here by the beginning of the id:
//
//	declined-  the money is not taken
//	flaky-     one to three calls fail, some of them after they took effect
//	hanging-   the first call takes effect and never answers
//	dead-      captures fail or hang for ever, the first of them after it took effect
//
// Everybody else is served at once.
type Sandbox struct{ DB *sqldb.DB }

// The beginnings of customer ids that the sandbox knows.
const (
	CustomerDeclined = "declined-"
	CustomerFlaky    = "flaky-"
	CustomerHanging  = "hanging-"
	CustomerDead     = "dead-"
)

var errGateway = errors.New("the gateway answers 503")

// behaviour is what one call does.
type behaviour struct {
	effect bool // it takes effect
	fail   bool // it answers with an error
	hang   bool // it does not answer
}

// captureBehaviour is what capture number call (from 1) of a key does.
func captureBehaviour(customer, key string, call int64) behaviour {
	n := int64(digest(key) % 3)
	switch {
	case strings.HasPrefix(customer, CustomerFlaky) && call <= 1+n:
		return behaviour{effect: digest(key)&8 != 0, fail: true}
	case strings.HasPrefix(customer, CustomerHanging) && call == 1:
		return behaviour{effect: true, hang: true}
	case strings.HasPrefix(customer, CustomerDead):
		return behaviour{effect: true, fail: call > 1, hang: call == 1}
	}
	return behaviour{effect: true}
}

// returnBehaviour is what return number call (from 1) of a key does.
func returnBehaviour(customer, key string, call int64) behaviour {
	if call > 1 {
		return behaviour{effect: true}
	}
	switch {
	case strings.HasPrefix(customer, CustomerFlaky), strings.HasPrefix(customer, CustomerDead):
		return behaviour{effect: digest(key)&16 != 0, fail: true}
	case strings.HasPrefix(customer, CustomerHanging):
		return behaviour{effect: true, hang: true}
	}
	return behaviour{effect: true}
}

func digest(key string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return h.Sum32()
}

// Capture is Gateway's.
func (s Sandbox) Capture(ctx context.Context, key, customer string, amount contract.Money) (string, error) {
	var b behaviour
	var closed int64
	var declined bool
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := open(ctx, tx, key); err != nil {
			return err
		}
		var calls int64
		err := tx.QueryRow(ctx, `update sandbox set captures = captures + 1, customer = $2, amount = $3, currency = $4
			where key = $1 returning captures, closed`, key, customer, amount.Amount, amount.Currency).Scan(&calls, &closed)
		if err != nil {
			return fmt.Errorf("count the capture: %w", err)
		}
		b = captureBehaviour(customer, key, calls)
		declined = strings.HasPrefix(customer, CustomerDeclined)
		if closed == 1 || declined || !b.effect {
			return nil
		}
		if _, err := tx.Exec(ctx, `update sandbox set captured = 1 where key = $1`, key); err != nil {
			return fmt.Errorf("capture: %w", err)
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case declined:
		return "", ErrDeclined
	case closed == 1:
		return "", fmt.Errorf("key %s is closed: %w", key, ErrDeclined)
	}
	return "sandbox-" + key, b.answer(ctx)
}

// Return is Gateway's.
func (s Sandbox) Return(ctx context.Context, key string) error {
	var b behaviour
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := open(ctx, tx, key); err != nil {
			return err
		}
		var calls int64
		var customer string
		err := tx.QueryRow(ctx, `update sandbox set returns = returns + 1 where key = $1 returning returns, customer`, key).Scan(&calls, &customer)
		if err != nil {
			return fmt.Errorf("count the return: %w", err)
		}
		if b = returnBehaviour(customer, key, calls); !b.effect {
			return nil
		}
		if _, err := tx.Exec(ctx, `update sandbox set closed = 1, returned = captured where key = $1`, key); err != nil {
			return fmt.Errorf("return: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.answer(ctx)
}

func open(ctx context.Context, tx *sqldb.Tx, key string) error {
	if _, err := tx.Exec(ctx, `insert into sandbox (key) values ($1) on conflict (key) do nothing`, key); err != nil {
		return fmt.Errorf("open the key: %w", err)
	}
	return nil
}

// answer is what the caller sees of a call.
func (b behaviour) answer(ctx context.Context) error {
	switch {
	case b.hang:
		<-ctx.Done()
		return context.Cause(ctx)
	case b.fail:
		return errGateway
	}
	return nil
}
