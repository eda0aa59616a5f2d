package order

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

const (
	maxStreams  = 256                    // open at once per process
	streamPause = 100 * time.Millisecond // between two looks
	streamBeat  = 15 * time.Second       // a comment that keeps proxies from closing a quiet stream
	streamWrite = 10 * time.Second       // how long a client may take for one write
)

// stream is the timeline as server-sent events: "state" with the order, "entry" with each ledger
// entry, whose id is where a client that comes back goes on.
func (h handlers) stream(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	after, err := lastEvent(r)
	if err != nil {
		return err
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		return api.Refuse(http.StatusServiceUnavailable, "%d timelines are being watched: try again later", maxStreams)
	}
	out := sse{w: w, rc: http.NewResponseController(w)}
	var state State
	for beat := time.Now(); ; {
		entries, view, err := h.look(r.Context(), id, after)
		if err != nil {
			if out.begun { // the client comes back with Last-Event-ID
				return nil
			}
			return missing(id, err)
		}
		out.begin()
		for _, e := range entries {
			out.send("entry", strconv.FormatInt(e.Seq, 10), e)
			after = e.Seq
		}
		if view.State != state {
			state = view.State
			out.send("state", "", view)
		}
		if time.Since(beat) > streamBeat {
			beat = time.Now()
			out.beat()
		}
		if out.err != nil || !sleep(r.Context(), streamPause) {
			return nil
		}
	}
}

func (h handlers) look(ctx context.Context, id string, after int64) (entries []ledger.Entry, view View, err error) {
	err = h.s.View(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
		view, err = scanView(tx.QueryRow(ctx, `select `+viewColumns+` from orders where id = $1`, id))
		if err != nil {
			return err
		}
		entries, err = ledger.Of(ctx, tx, id, after)
		return err
	})
	return entries, view, err
}

func lastEvent(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, api.Refuse(http.StatusBadRequest, "Last-Event-ID is %q: send the id of an entry", text)
	}
	return n, nil
}

// sse writes server-sent events; after an error it writes nothing more.
type sse struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	begun bool
	err   error
}

func (s *sse) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set("Cache-Control", "no-store")
	s.w.Header().Set("X-Content-Type-Options", "nosniff")
	s.w.WriteHeader(http.StatusOK)
}

func (s *sse) send(event, id string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		s.err = fmt.Errorf("encode %s: %w", event, err)
		return
	}
	text := "event: " + event + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	s.write(text + "data: " + string(data) + "\n\n")
}

func (s *sse) beat() { s.write(": still here\n\n") }

func (s *sse) write(text string) {
	if s.err != nil {
		return
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(streamWrite)) // not every writer has one
	if _, s.err = s.w.Write([]byte(text)); s.err == nil {
		s.err = s.rc.Flush()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
