package broker

import (
	"testing"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
)

// Open returns a client of leat's that is closed when the test ends. kafka.Open gives up after 10 s, in which
// a busy machine may stand still; here it is asked again.
func Open(t testing.TB, cfg kafka.Config) (c *kafka.Client) {
	t.Helper()
	leattest.Within(t, answerIn, "the cluster is reached", func() (err error) {
		c, err = kafka.Open(t.Context(), cfg)
		return err
	})
	t.Cleanup(c.Close)
	return c
}
