package outbox_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// largeInbox is an inbox of 3,000 blocks, 15 rows each, of which every second one is old.
func largeInbox(t *testing.T) (w *inboxWorld, old time.Time) {
	data := sql.Postgres(t)
	w = newInboxWorld(t, data, func(c *outbox.Config) { c.InboxKeep = 10 * time.Hour })
	old = time.Now().Add(-11 * time.Hour).Truncate(time.Microsecond).UTC()
	data.Exec(t, `alter table leat_inbox_key set (fillfactor = 10, autovacuum_enabled = off)`)
	data.Exec(t, fmt.Sprintf(`insert into leat_inbox_key (key, at)
		select gen_random_uuid(), case i %% 2 when 0 then %d else %d end from generate_series(1, 45000) i`, old.UnixMicro(), time.Now().UnixMicro()))
	if n := data.Int(t, `select pg_relation_size('leat_inbox_key') / 8192`); n < 2*1200 || n > 2*2000 {
		t.Fatalf("the table has %d blocks", n)
	}
	return w, old
}

// rowsRead is how many rows of the inbox were read without an index: 45,000 by whoever reads it whole.
func rowsRead(t *testing.T, w *inboxWorld) int64 {
	w.db.Close()
	leattest.Eventually(t, "the sessions have told their statistics", func() error {
		if n := w.data.Int(t, `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'leat'`); n > 0 {
			return fmt.Errorf("%d sessions", n)
		}
		return nil
	})
	return w.data.Int(t, `select seq_tup_read from pg_stat_user_tables where relname = 'leat_inbox_key'`)
}

// A sweep of a large inbox reads a share of it.
func TestASweepReadsItsShare(t *testing.T) {
	t.Parallel()
	w, _ := largeInbox(t)
	n, err := w.box.Sweep(t.Context())
	if err != nil || n < 2048*7 || n > 2048*8 {
		t.Errorf("swept %d rows, %v", n, err)
	}
	if rows := rowsRead(t, w); rows < n || rows > 2048*15 {
		t.Errorf("read %d rows", rows)
	}
}

// Share by share each row has its turn, whoever sweeps.
func TestALargeInboxIsSweptInShares(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(w *inboxWorld, box *outbox.Box) *outbox.Box{
		"one instance":  func(_ *inboxWorld, box *outbox.Box) *outbox.Box { return box },
		"over restarts": func(w *inboxWorld, _ *outbox.Box) *outbox.Box { return w.hourly(w.db) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := largeInbox(t)
			box, swept, calls := w.hourly(w.db), int64(0), 0
			for ; swept < 22500 && calls < 20; calls++ {
				n, err := box.Sweep(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				swept, box = swept+n, next(w, box)
			}
			if left := w.remembered(); swept != 22500 || left != 22500 || name == "one instance" && calls != 2 {
				t.Errorf("swept %d rows in %d calls, %d are left", swept, calls, left)
			}
		})
	}
	t.Run("two instances at once", func(t *testing.T) {
		t.Parallel()
		w, _ := largeInbox(t)
		var at sync.WaitGroup
		swept := make([]int64, 2)
		for i := range swept {
			box := w.hourly(openDB(t, w.data))
			at.Go(func() {
				for range 2 {
					n, err := box.Sweep(t.Context())
					if err != nil {
						t.Error(err)
					}
					swept[i] += n
				}
			})
		}
		at.Wait()
		if left := w.remembered(); swept[0]+swept[1] != 22500 || left != 22500 {
			t.Errorf("swept %v rows, %d are left", swept, left)
		}
	})
}

// hourly is a box of another instance, with the inbox of largeInbox.
func (w *inboxWorld) hourly(db *sqldb.DB) *outbox.Box {
	return w.newBox(db, func(c *outbox.Config) { c.InboxKeep = 10 * time.Hour })
}

// How far back a large inbox reaches is not found by reading it.
func TestTheReachOfALargeInboxIsASample(t *testing.T) {
	t.Parallel()
	w, old := largeInbox(t)
	since, err := w.box.InboxSince(t.Context())
	if err != nil || !since.Equal(old) {
		t.Errorf("remembers since %v, want %v, %v", since, old, err)
	}
	if rows := rowsRead(t, w); rows < 1000*15 || rows > 2500*15 {
		t.Errorf("read %d rows", rows)
	}
}

// A table may be large and nearly empty.
func TestTheReachOfANearlyEmptyInbox(t *testing.T) {
	t.Parallel()
	w, old := largeInbox(t)
	w.data.Exec(t, `delete from leat_inbox_key where ctid <> (select max(ctid) from leat_inbox_key where at = $1)`, old.UnixMicro())
	if since, err := w.box.InboxSince(t.Context()); err != nil || !since.Equal(old) {
		t.Errorf("remembers since %v, want %v, %v", since, old, err)
	}
}
