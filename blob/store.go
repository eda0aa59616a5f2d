package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Store keeps payloads by name. It is safe for concurrent use.
type Store interface {
	// Put keeps data under a name, and returns once it is kept for good. A name that is there
	// already counts as put now, whatever it holds: names are made of what they hold (see NameOf).
	Put(ctx context.Context, name string, data []byte) error
	// Get returns the payload of a name. One of more than limit bytes is refused with ErrTooLarge,
	// one that is not there with ErrNotFound.
	Get(ctx context.Context, name string, limit int64) ([]byte, error)
	// Delete removes a name; one that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Each calls do for every payload of a prefix that ends in '/', in any order, until it returns
	// an error. do may delete the payload it is given.
	Each(ctx context.Context, prefix string, do func(Object) error) error
	// Close gives back what the store holds.
	Close()
}

// Object is a payload in a store.
type Object struct {
	Name string
	Size int64     // bytes
	At   time.Time // when it was put last, by the store's clock
}

// Config says which store to open.
type Config struct {
	// URL is one of
	//
	//	file:DIR                        a directory that all who read can reach
	//	s3://BUCKET/PREFIX?endpoint=HOST:PORT&region=REGION&plaintext=true
	//	postgres://USER@HOST/NAME?schema=SCHEMA
	//
	// For s3 the keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from AWS's files, or
	// from the machine's role; without endpoint it is Amazon's. Needed.
	URL string
	// Logger gets what heals by itself. Nil: slog.Default().
	Logger *slog.Logger
}

// Validate says what is wrong with the config.
func (c Config) Validate() error {
	scheme, rest, ok := strings.Cut(c.URL, ":")
	switch {
	case c.URL == "":
		return errors.New("blob: URL is empty: write file:DIR, s3://BUCKET or postgres://HOST/NAME")
	case !ok || rest == "":
		return fmt.Errorf("blob: %q is neither file:DIR nor s3://BUCKET nor postgres://", redact(c.URL))
	}
	switch scheme {
	case "file", "s3", "postgres", "postgresql":
		return nil
	}
	return fmt.Errorf("blob: %q: stores are file, s3 and postgres", redact(c.URL))
}

// Open opens a store and shows that it can be reached. A bucket must exist; a directory is made; a
// database gets the table leat_blob.
func Open(ctx context.Context, cfg Config) (Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var s Store
	var err error
	scheme, rest, _ := strings.Cut(cfg.URL, ":")
	switch scheme {
	case "file":
		s, err = openDir(strings.TrimPrefix(rest, "//"))
	case "s3":
		s, err = openS3(ctx, cfg.URL)
	default:
		s, err = openPostgres(ctx, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("open the store of payloads %s: %w", redact(cfg.URL), err)
	}
	return s, nil
}

// redact hides a password in a URL.
func redact(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(a URL that can't be read)"
	}
	return u.Redacted()
}

// validName keeps names to plain paths: what an event from a stranger names must not lead elsewhere.
func validName(name string) error {
	letters := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == ""
	if len(name) > 500 || !letters || !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%w: %.100q is no name of a payload", ErrNotFound, name)
	}
	return nil
}
