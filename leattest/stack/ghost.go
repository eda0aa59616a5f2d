package stack

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// defaultSession is the session timeout where Config does not say.
const defaultSession = 6 * time.Second

func (p *Process) clientID() string { return fmt.Sprintf("process-%d", p.id) }

// A group is looked at each waits, and one that gathers its members for longer than gathers, which is
// more than a rebalance takes, waits for one that is not there.
const (
	waits   = 10 * time.Second
	gathers = 90 * time.Second
)

// evict takes members of long crashed processes out of their groups, and all of a group that does not
// get together: those that are there come back. Kafka's session timeout does that; kfake starts a
// member's session only when it could answer it, and keeps one for ever whose connection broke while it
// joined, be it that of a process which lives and has joined again.
func (s *Stack) evict(cl *kgo.Client) error {
	ghosts := map[string]bool{}
	for _, p := range s.processes {
		if p.isDead() && p.over() && time.Since(p.end) > 2*cmp.Or(s.cfg.Session, defaultSession) {
			ghosts[p.clientID()] = true
		}
	}
	if len(ghosts) == 0 && time.Since(s.described) < waits {
		return nil
	}
	s.described = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var groups []string
	for _, c := range s.cfg.Services {
		if len(c.Handlers) > 0 {
			groups = append(groups, s.cfg.Prefix+c.Name)
		}
	}
	described, err := kadm.NewClient(cl).DescribeGroups(ctx, groups...)
	if err != nil {
		return fmt.Errorf("describe groups: %w", err)
	}
	for _, g := range described {
		stuck := s.stuck(g.Group, g.State)
		for _, m := range g.Members {
			if !ghosts[m.ClientID] && !stuck {
				continue
			}
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group = g.Group
			leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.MemberID}}
			if _, err := leave.RequestWith(ctx, cl); err != nil {
				return fmt.Errorf("take %s out of group %s: %w", m.MemberID, g.Group, err)
			}
		}
	}
	return nil
}

// over says whether the host has returned.
func (p *Process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stuck says whether the group has been gathering its members for too long.
func (s *Stack) stuck(group, state string) bool {
	if state == "Stable" || state == "Empty" || state == "Dead" {
		delete(s.gathering, group)
		return false
	}
	since, known := s.gathering[group]
	if !known {
		s.gathering[group] = time.Now()
		return false
	}
	if time.Since(since) < gathers {
		return false
	}
	delete(s.gathering, group)
	return true
}
