package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// reachTimeout is how long a database has to answer.
const reachTimeout = 10 * time.Second

// openService opens the database of one service where the host keeps it: a schema of its name, or the
// file NAME.db. A file that is not there is not made.
func (a *app) openService(ctx context.Context, url, service string) (*sqldb.DB, error) {
	cfg := sqldb.Config{URL: url, Schema: service, MaxConns: 2, Logger: a.logger()}
	if dir, ok := strings.CutPrefix(url, "sqlite:"); ok {
		file := filepath.Join(dir, service+".db")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("service %s has no database %s: check the name and --database-url", service, file)
		}
		cfg.URL = "sqlite:" + file
	}
	ctx, cancel := context.WithTimeoutCause(ctx, reachTimeout, fmt.Errorf("no answer within %s", reachTimeout))
	defer cancel()
	db, err := sqldb.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("reach the database of %s: %w; check --database-url (LEAT_DATABASE_URL)", service, err)
	}
	return db, nil
}
