package payment

import (
	"context"
	"errors"

	"github.com/leatdev/leat/shop/contract"
)

// Gateway moves money. Both calls take an idempotency key: a repeat has the effect and the answer of
// the first. An error means that nobody knows whether the call took effect, except ErrDeclined.
type Gateway interface {
	// Capture takes the money of a customer and names what it took.
	Capture(ctx context.Context, key, customer string, amount contract.Money) (reference string, err error)
	// Return gives back what was captured under the key, if anything was, and sees to it that
	// nothing will be.
	Return(ctx context.Context, key string) error
}

// ErrDeclined says that the money will not be taken, whoever asks however often.
var ErrDeclined = errors.New("declined")
