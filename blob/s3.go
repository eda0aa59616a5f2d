package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/leatdev/leat"
)

// bucket is an S3-compatible bucket, or what lies below a prefix in it.
type bucket struct {
	client *minio.Client
	bucket string
	prefix string // "" or ending in '/'
}

func openS3(ctx context.Context, text string) (Store, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Host == "" {
		return nil, errors.New("it names no bucket: s3://BUCKET/PREFIX")
	}
	if u.User != nil {
		return nil, errors.New("keys do not belong in the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	q := u.Query()
	for name := range q {
		if !slices.Contains([]string{"endpoint", "region", "plaintext"}, name) {
			return nil, fmt.Errorf("parameter %q is not known: there are endpoint, region and plaintext", name)
		}
	}
	endpoint := q.Get("endpoint")
	if endpoint == "" {
		endpoint = "s3.amazonaws.com"
	}
	client, err := minio.New(endpoint, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}),
		Secure: q.Get("plaintext") != "true",
		Region: q.Get("region"),
	})
	if err != nil {
		return nil, err
	}
	b := &bucket{client: client, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	if b.prefix != "" {
		b.prefix += "/"
	}
	switch there, err := client.BucketExists(ctx, b.bucket); {
	case err != nil:
		return nil, leat.Unavailable(fmt.Errorf("look for bucket %s at %s: %w", b.bucket, endpoint, err))
	case !there:
		return nil, fmt.Errorf("there is no bucket %s at %s: make it, or name another", b.bucket, endpoint)
	}
	return b, nil
}

// Put stores an object; S3 shows it whole or not at all.
func (b *bucket) Put(ctx context.Context, name string, data []byte) error {
	if err := validName(name); err != nil {
		return err
	}
	_, err := b.client.PutObject(ctx, b.bucket, b.prefix+name, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "application/octet-stream", SendContentMd5: true})
	return explain(err)
}

// Get reads an object.
func (b *bucket) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := validName(name); err != nil {
		return nil, err
	}
	o, err := b.client.GetObject(ctx, b.bucket, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, explain(err)
	}
	defer o.Close()
	if _, err := o.Stat(); err != nil { // the request is made here
		return nil, explain(err)
	}
	return readAll(o, limit)
}

// Delete removes an object.
func (b *bucket) Delete(ctx context.Context, name string) error {
	if err := validName(name); err != nil {
		return err
	}
	err := explain(b.client.RemoveObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Each lists the objects.
func (b *bucket) Each(ctx context.Context, prefix string, do func(Object) error) error {
	ctx, cancel := context.WithCancel(ctx) // ends the listing
	defer cancel()
	for o := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("list payloads: %w", explain(o.Err))
		}
		if err := do(Object{Name: strings.TrimPrefix(o.Key, b.prefix), Size: o.Size, At: o.LastModified}); err != nil {
			return fmt.Errorf("list payloads: %w", err)
		}
	}
	return nil
}

// Close has nothing to do: connections end by themselves.
func (b *bucket) Close() {}

// explain tells what is not there from what can't be reached.
func explain(err error) error {
	if err == nil {
		return nil
	}
	answer := minio.ToErrorResponse(err)
	if answer.Code == "NoSuchKey" || answer.StatusCode == http.StatusNotFound && answer.Code != "NoSuchBucket" {
		return ErrNotFound
	}
	return leat.Unavailable(err)
}
