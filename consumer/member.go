package consumer

import (
	"errors"
	"fmt"

	"github.com/leatdev/leat/consumer/internal/cluster"
)

// withMembership lays the operator's word over Protocol and InstanceID.
func (c Config) withMembership() Config {
	said, _ := c.Kafka.Membership() // what is wrong with it, Validate tells
	if said.Protocol != "" {
		c.Protocol = said.Protocol
	}
	if said.InstanceID != "" {
		c.InstanceID = said.InstanceID
	}
	return c
}

func (c Config) validateMembership() error {
	c = c.withMembership()
	switch c.Protocol {
	case "", cluster.Classic:
		return nil
	case cluster.ServerSide:
		if c.SessionTimeout != 0 {
			return errors.New("consumer: SessionTimeout has no effect with Protocol consumer: the brokers decide (consumer.session.timeout.ms of the group, group.consumer.session.timeout.ms of the brokers)")
		}
		return nil
	}
	return fmt.Errorf("consumer: Protocol is %q, want classic (or empty) or consumer", c.Protocol)
}

// membership is how the member joins its group.
func (c *Consumer) membership() cluster.Membership {
	return cluster.Membership{
		Group: c.joins, InstanceID: c.cfg.InstanceID, Protocol: c.cfg.Protocol,
		Session: c.cfg.SessionTimeout, Rebalance: c.cfg.RebalanceTimeout,
	}
}
