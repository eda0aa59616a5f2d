package sim_test

import "math/rand/v2"

// link is what stands in the middle of the chain.
type link string

const (
	once      link = "once"
	together  link = "together"
	batch     link = "batch"
	transform link = "transform"
)

// play is what a seed plays, beside its schedule.
type play struct {
	embedded bool // no Kafka transactions
	park     bool // middle parks what fails, in place of retries inside only
	link     link
	claims   bool // large data lies in a store
	steps    int
}

// draw draws it. Odd seeds use Kafka transactions, even ones the embedded way; of both, every other one
// parks.
func draw(seed int) play {
	rng := rand.New(rand.NewPCG(uint64(seed), 2))
	links := []link{once, once, once, transform, transform, transform, together, batch}
	return play{
		embedded: seed%2 == 0,
		park:     seed%4 < 2,
		link:     links[rng.IntN(len(links))],
		claims:   rng.IntN(5) == 0,
		steps:    8 + rng.IntN(30),
	}
}
