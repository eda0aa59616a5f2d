package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/leatdev/leat/sqldb"
)

// Viewer is a service, as far as reading goes.
type Viewer interface {
	View(ctx context.Context, fn func(ctx context.Context, tx *sqldb.Tx) error) error
}

// List answers with one page of a query in the order of a key ($1: after, $2: how many).
func List[T any](s Viewer, w http.ResponseWriter, r *http.Request, query string, scan func(*sqldb.Rows) (T, error), key func(T) string) error {
	limit, err := Limit(r)
	if err != nil {
		return err
	}
	var items []T
	err = s.View(r.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		items = nil
		rows, err := tx.Query(ctx, query, r.URL.Query().Get("after"), limit+1)
		if err != nil {
			return fmt.Errorf("read a page: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			item, err := scan(rows)
			if err != nil {
				return fmt.Errorf("read a page: %w", err)
			}
			items = append(items, item)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	return Write(w, http.StatusOK, PageOf(items, limit, key))
}
