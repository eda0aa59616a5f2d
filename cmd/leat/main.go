// Command leat is the door of the system: it hands the shop's services to the command line.
//
// # What
//
// Every command is in internal/cli; what it runs comes in here as values.
//
// # Use
//
//	leat demo
//	leat dev
//	leat run order payment
//
// # Guarantees
//
// See internal/cli.
//
// # Failure
//
// A wrong LEAT_SHOP_ variable ends every command with status 2.
//
// # Test
//
// test/e2e runs the binary.
package main

import (
	"fmt"
	"os"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/shop"
)

func main() {
	cfg, err := shop.ConfigFromEnv(os.Getenv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "leat: %v\n", err)
		os.Exit(2)
	}
	cli.Main(cli.Config{Services: shop.Services(cfg)})
}
