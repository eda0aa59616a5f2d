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

// evict takes members of long crashed processes out of their groups. Kafka's session timeout does
// that; kfake starts a member's session only when it could answer it, and keeps one for ever whose
// connection broke while it joined.
func (s *Stack) evict(cl *kgo.Client) error {
	ghosts := map[string]bool{}
	for _, p := range s.processes {
		if p.isDead() && p.over() && time.Since(p.end) > 2*cmp.Or(s.cfg.Session, defaultSession) {
			ghosts[p.clientID()] = true
		}
	}
	if len(ghosts) == 0 {
		return nil
	}
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
		for _, m := range g.Members {
			if !ghosts[m.ClientID] {
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
