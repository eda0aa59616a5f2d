package main

import (
	"os"
	"testing"
)

// TestMain lets the test binary be the service: the tests start it as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("HELLO_IS_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}
