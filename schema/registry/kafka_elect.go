package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rebalanceTimeout is how long the group waits for members to come back, as with Confluent's.
const rebalanceTimeout = 300 * time.Second

// leaveTimeout bounds the good-bye.
const leaveTimeout = 2 * time.Second

// elector is a member of the group.
type elector struct {
	l          *Kafka
	id         string // the coordinator's name for this member; "": it has none
	generation int32
}

// elect keeps this registry in the group until ctx ends, whatever happens.
func (l *Kafka) elect(ctx context.Context) {
	e := &elector{l: l}
	defer e.leave(context.WithoutCancel(ctx))
	said := ""
	for ctx.Err() == nil {
		if _, err := l.sits(); err != nil { // the log is lost: others may lead
			e.leave(ctx)
			_ = pause(ctx, l.cfg.Heartbeat) // the loop looks at ctx
			continue
		}
		err := e.term(ctx)
		l.stand()
		switch {
		case ctx.Err() != nil:
		case err == nil:
			said = ""
			_ = pause(ctx, 10*time.Millisecond) // not faster, whatever the coordinator answers
		default:
			if err.Error() != said {
				said = err.Error()
				l.cfg.Logger.Warn("choose the registry that writes: tried again", slog.String("group", l.cfg.Group), slog.Any("error", err))
			}
			_ = pause(ctx, l.cfg.Heartbeat/3)
		}
	}
}

// stand leaves the seat.
func (l *Kafka) stand() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seat.leads = false
}

// sit takes a new one.
func (l *Kafka) sit(s seat) {
	l.mu.Lock()
	old := l.seat
	s.term = old.term + 1
	l.seat = s
	l.mu.Unlock()
	if old.term == 0 || old.leads != s.leads || old.url != s.url || old.mixed != s.mixed {
		l.cfg.Logger.Info("the registries have chosen", slog.String("group", l.cfg.Group), slog.Bool("leads", s.leads), slog.String("leader", s.url), slog.Bool("others", s.mixed))
	}
}

// extend prolongs the lease.
func (l *Kafka) extend(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seat.until = until
}

// term joins, learns who leads, and stays until the group chooses anew. nil: join again.
func (e *elector) term(ctx context.Context) error {
	joined, err := e.join(ctx)
	if err != nil || joined == nil {
		return err
	}
	select {
	case <-e.l.nudge: // a doubt of an earlier term
	default:
	}
	// The coordinator counts the session from later on than this: nobody else leads before it has ended.
	asked := time.Now()
	v, err := e.sync(ctx, joined)
	if err != nil || v == nil {
		return err
	}
	s := seat{until: asked.Add(e.l.cfg.Session), mixed: joined.Protocol == nil || *joined.Protocol != protocolOurs}
	switch {
	case v.Error != 0:
		e.l.cfg.Logger.Error("nobody writes: two registries have one URL; give each its own with --advertise", slog.String("group", e.l.cfg.Group))
	case v.Master != nil && *v.Master == e.id:
		s.leads = true
	case v.Who != nil:
		s.url = v.Who.url()
	}
	if s.mixed && !s.leads && !e.l.client.Embedded() {
		// A paused registry of ours must not go on where a program leads that can't fence it.
		if err := e.l.fence(ctx); err != nil {
			return err
		}
	}
	e.l.sit(s)
	return e.stay(ctx, s.until)
}

// join asks to be let in; the answer comes when all members are there. nil: ask again.
func (e *elector) join(ctx context.Context) (*kmsg.JoinGroupResponse, error) {
	metadata, err := json.Marshal(e.l.me)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = e.l.cfg.Group, e.id, protocolType
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(e.l.cfg.Session.Milliseconds()), int32(rebalanceTimeout.Milliseconds())
	for _, name := range []string{protocolOurs, protocolAll} {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, metadata
		req.Protocols = append(req.Protocols, p)
	}
	resp, err := req.RequestWith(ctx, e.l.client.Kgo())
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	switch {
	case errors.Is(err, kerr.MemberIDRequired):
		e.id = resp.MemberID
		return nil, nil
	case err != nil:
		return nil, e.trouble("join", err)
	}
	e.id, e.generation = resp.MemberID, resp.Generation
	return resp, nil
}

// sync tells what this member chose, if the choice is its own, and learns what was chosen. nil: join
// again.
func (e *elector) sync(ctx context.Context, joined *kmsg.JoinGroupResponse) (*choice, error) {
	req := kmsg.NewPtrSyncGroupRequest()
	protocol := protocolType
	req.Group, req.Generation, req.MemberID = e.l.cfg.Group, e.generation, e.id
	req.ProtocolType, req.Protocol = &protocol, joined.Protocol
	if joined.LeaderID == e.id {
		var err error
		if req.GroupAssignment, err = e.assign(joined.Members); err != nil {
			return nil, err
		}
	}
	resp, err := req.RequestWith(ctx, e.l.client.Kgo())
	if err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, e.trouble("sync", err)
	}
	v := new(choice)
	if err := json.Unmarshal(resp.MemberAssignment, v); err != nil {
		return nil, fmt.Errorf("read what the group chose: %w", err)
	}
	return v, nil
}

func (e *elector) assign(members []kmsg.JoinGroupResponseMember) (all []kmsg.SyncGroupRequestGroupAssignment, err error) {
	said := map[string][]byte{}
	for _, m := range members {
		said[m.MemberID] = m.ProtocolMetadata
	}
	v, err := choose(said)
	if err != nil { // of a program that is not known: it does not lead
		e.l.cfg.Logger.Warn("choose the registry that writes", slog.String("group", e.l.cfg.Group), slog.Any("error", err))
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = m.MemberID, text
		all = append(all, a)
	}
	return all, nil
}

// stay gives signs of life until the group chooses anew, the lease ends, or the lead is in doubt.
func (e *elector) stay(ctx context.Context, until time.Time) error {
	beat := time.NewTicker(e.l.cfg.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.l.nudge:
			return nil
		case <-beat.C:
		}
		asked := time.Now()
		err := e.heartbeat(ctx)
		switch {
		case err == nil:
			until = asked.Add(e.l.cfg.Session)
			e.l.extend(until)
		case errors.Is(err, kerr.RebalanceInProgress):
			return nil
		case isGroupError(err) || !time.Now().Before(until):
			return e.trouble("heartbeat", err)
		}
	}
}

func (e *elector) heartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.l.cfg.Heartbeat)
	defer cancel()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = e.l.cfg.Group, e.generation, e.id
	resp, err := req.RequestWith(ctx, e.l.client.Kgo())
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// isGroupError says whether the coordinator does not count this member in any more.
func isGroupError(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.FencedInstanceID)
}

// trouble forgets a name that the coordinator does not know.
func (e *elector) trouble(op string, err error) error {
	if errors.Is(err, kerr.RebalanceInProgress) {
		return nil
	}
	if errors.Is(err, kerr.UnknownMemberID) {
		e.id = ""
	}
	return fmt.Errorf("%s: %w", op, err)
}

// leave says good-bye, so that nobody waits for the session to end.
func (e *elector) leave(ctx context.Context) {
	e.l.stand()
	if e.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = e.id
	req.Group, req.MemberID, req.Members = e.l.cfg.Group, e.id, []kmsg.LeaveGroupRequestMember{m}
	if _, err := req.RequestWith(ctx, e.l.client.Kgo()); err != nil {
		e.l.cfg.Logger.Debug("leave the group of registries", slog.String("group", e.l.cfg.Group), slog.Any("error", err))
	}
	e.id = ""
}
