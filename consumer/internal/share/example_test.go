package share_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/share"
)

// What is done is told, what is not goes back.
func Example() {
	client, err := kgo.NewClient() // connects to nothing until it is used
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	s := share.Session{
		Client: client, Log: slog.Default(), Drain: time.Second, Grace: time.Second, Cause: errors.New("stopping"),
		Handle: func(_, _ context.Context, r *kgo.Record) bool { return r.Offset != 1 },
	}
	hand := []*kgo.Record{{Offset: 0}, {Offset: 1}, {Offset: 2}}
	left := s.Deal(context.Background(), context.Background(), hand)
	fmt.Println("left", left, "done", s.Handled.Load(), "given back", s.Released.Load())
	// Output: left 0 done 2 given back 1
}
