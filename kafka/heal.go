package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// promptly lets a client notice soon that what was missing is there: a cluster that has come back, a
// topic that was made. franz-go waits up to 5 s between two tries, which for what takes over from
// another process adds up, and asks for topics every 5 s at most. A request is given up after 30 s as
// before, by time and not by the number of tries. Properties win.
func promptly() []kgo.Opt {
	return []kgo.Opt{
		kgo.RetryBackoffFn(backoff(promptBackoff, promptBackoffMax)),
		kgo.RequestRetries(10 * int(30*time.Second/promptBackoffMax)),
		kgo.MetadataMinAge(promptMetadata),
		kgo.UnknownTopicRetries(int(promptGrace / promptBackoffMax)),
	}
}

const (
	promptBackoff    = 50 * time.Millisecond
	promptBackoffMax = 500 * time.Millisecond
	promptMetadata   = 200 * time.Millisecond
	promptGrace      = 5 * time.Second // about, until a topic counts as missing: one may be being made
)
