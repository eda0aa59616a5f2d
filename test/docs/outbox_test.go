package docs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// The code of docs/guides/outbox-and-inbox.md.

var _ = func(ctx context.Context, svc *service.Service, id string, cents int64) error {
	err := svc.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		if _, err := tx.Exec(ctx, `insert into orders (id, state) values ($1, 'placed')`, id); err != nil {
			return err
		}
		return tx.Publish(ctx, OrderCreated{OrderID: id, Cents: cents})
	})
	return err
}

func TestCodeOfTheOutboxGuideCompiles(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("outbox_test.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "guides", "outbox-and-inbox.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlocks(string(text))
	if len(blocks) == 0 {
		t.Fatal("the guide has no code of ours")
	}
	for _, block := range blocks {
		if !strings.Contains(lines(string(b)), lines(block)) {
			t.Errorf("outbox-and-inbox.md has code that outbox_test.go does not compile:\n%s", block)
		}
	}
}
