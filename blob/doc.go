// Package blob is where large payloads lie while their events travel: the claim check of an event
// whose data is too large for a topic.
//
// # What
//
// A [Store] keeps bytes by name: a directory, an S3-compatible bucket, or a PostgreSQL database
// ([Open]). A [Ref] is what an event carries in place of its data: the name (the CloudEvents extension
// dataref), the size and the SHA-256 sum.
//
// # Use
//
//	store, err := blob.Open(ctx, blob.Config{URL: "s3://payloads/shop?endpoint=minio:9000"})
//	ref, err := blob.Put(ctx, store, "payment", data, time.Now())
//	data, err := blob.Fetch(ctx, store, ref, 64<<20)
//
// # Guarantees
//
// Put returns when the bytes are kept: synced to the disk, acknowledged by the bucket, committed. A
// payload is seen whole or not at all. Fetch returns the bytes that Put got, or an error: size and
// sum are checked. A name can't lead out of its store, whoever wrote it.
//
// # Failure
//
// [ErrNotFound] and [CorruptError] say that the payload is not what the event names, and no retry
// helps. Everything else is the store's trouble and told as leat.Unavailable.
//
// # Test
//
// One suite over all three kinds: a directory, a real PostgreSQL, an S3 server.
package blob
