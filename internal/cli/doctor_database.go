package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// databaseFindings looks at the database where one is named, or at the services' files that are there.
func (a *app) databaseFindings(ctx context.Context, url string, named bool, services []string) []finding {
	if dir, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return a.fileFindings(ctx, dir, named, services)
	}
	db, err := sqldb.Open(ctx, sqldb.Config{URL: url, MaxConns: 1, Logger: a.logger()})
	if err != nil {
		return []finding{{"database", verdictFail, err.Error(), "check --database-url (LEAT_DATABASE_URL)"}}
	}
	defer db.Close()
	return postgresFindings(ctx, db)
}

func (a *app) fileFindings(ctx context.Context, dir string, named bool, services []string) []finding {
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		return []finding{{"database", verdictFail, err.Error(), ""}}
	}
	if len(files) == 0 {
		f := finding{"database", verdictSkip, fmt.Sprintf("no service has made its file in %s yet", dir), ""}
		if named && len(services) > 0 {
			f.Do = "check --database-url, or start the service"
		}
		return []finding{f}
	}
	var found []finding
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".db")
		found = append(found, a.fileFinding(ctx, dir, name))
	}
	return found
}

func (a *app) fileFinding(ctx context.Context, dir, name string) finding {
	check := "database of " + name
	db, err := a.openService(ctx, "sqlite:"+dir, name)
	if err != nil {
		return finding{check, verdictFail, err.Error(), ""}
	}
	defer db.Close()
	var verdict string
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select quick_check from pragma_quick_check limit 1`).Scan(&verdict)
	})
	switch {
	case err != nil:
		return finding{check, verdictFail, err.Error(), ""}
	case verdict != "ok":
		return finding{check, verdictFail, verdict, "the file is damaged: restore it"}
	}
	return finding{check, verdictOK, "sound", ""}
}

func postgresFindings(ctx context.Context, db *sqldb.DB) []finding {
	var (
		version, async string
		replica        bool
		there          float64
		asked          time.Time
		margin         time.Duration
	)
	err := db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		err := tx.QueryRow(ctx, `select current_setting('server_version'), current_setting('synchronous_commit'), pg_is_in_recovery()`).
			Scan(&version, &async, &replica)
		if err != nil {
			return err
		}
		asked = time.Now()
		err = tx.QueryRow(ctx, `select extract(epoch from clock_timestamp())::float8`).Scan(&there)
		margin = time.Since(asked) / 2
		return err
	})
	if err != nil {
		return []finding{{"database", verdictFail, err.Error(), "check --database-url (LEAT_DATABASE_URL)"}}
	}
	found := []finding{{"database", verdictOK, "PostgreSQL " + version + " answers", ""}}
	if replica {
		found = append(found, finding{"database", verdictFail, "it is a standby: it takes no writes", "connect to the primary"})
	}
	if async == "off" {
		found = append(found, finding{"database", verdictWarn, "synchronous_commit is off: a crash can take committed transactions back", "set synchronous_commit=on"})
	}
	skew := time.UnixMicro(int64(there * 1e6)).Sub(asked.Add(margin))
	return append(found, clockFinding("database clock", skew, margin))
}
