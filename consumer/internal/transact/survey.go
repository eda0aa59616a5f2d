package transact

import (
	"context"
	"fmt"

	"github.com/leatdev/leat/kafka"
)

// Topics are those that the transforms of a group have to do with.
type Topics struct {
	Group   string
	Sources []string
	Parked  []string // of these, those whose events are parked
	Outputs []string
}

// Ground is what is known of the cluster.
type Ground struct {
	Embedded bool           // it forgets transactions that are open when it stops
	Limits   map[string]int // largest message, by topic
}

// Survey looks at the cluster once all topics are there, and makes those of dead letters and of parked
// events.
func Survey(ctx context.Context, cluster kafka.Config, topics Topics) (*Ground, error) {
	client, err := kafka.Open(ctx, cluster)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	letters, err := client.DeadLetterTopics(ctx, topics.Group, topics.Sources...)
	if err != nil {
		return nil, err
	}
	parks, err := client.ParkTopics(ctx, topics.Group, topics.Parked...)
	if err != nil {
		return nil, err
	}
	limits, err := client.MaxMessageBytes(ctx, topics.Outputs...)
	if err != nil {
		return nil, err
	}
	letters = append(letters, parks...)
	if _, err := client.EnsureTopics(ctx, letters); err != nil {
		return nil, fmt.Errorf("make the topics of dead letters and parked events: %w", err)
	}
	for _, l := range letters {
		own, err := client.MaxMessageBytes(ctx, l.Name)
		if err != nil {
			return nil, err
		}
		limits[l.Name] = own[l.Name]
	}
	return &Ground{Embedded: client.Embedded(), Limits: limits}, nil
}
