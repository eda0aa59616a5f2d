package house

import (
	"os"
	"testing"
)

// TestHouse holds this very tree to docs/house.md.
func TestHouse(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/house.md")
	if err != nil {
		t.Fatal(err)
	}
	law, err := Read(string(page))
	if err != nil {
		t.Fatal(err)
	}
	faults, err := law.Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}
