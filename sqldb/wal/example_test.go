package wal_test

import (
	"encoding/hex"
	"fmt"

	"github.com/leatdev/leat/sqldb/wal"
)

// A message of the stream, as it came from a server.
func ExampleDecoder() {
	message, err := hex.DecodeString("4d010000000001d45b986c656174000000000473616964")
	if err != nil {
		panic(err)
	}
	var d wal.Decoder
	var c wal.Change
	if err := d.Decode(message, &c); err != nil {
		panic(err)
	}
	fmt.Printf("%s at %v: %s\n", c.Prefix, c.LSN, c.Content)
	// Output: leat at 0/1D45B98: said
}
