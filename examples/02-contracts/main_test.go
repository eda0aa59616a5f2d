package main

import (
	"strings"
	"testing"
)

func TestBothVersionsAreReadAsTheNewest(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := "hotel.price.set.v1: room 12 costs 70.00 EUR\nhotel.price.set.v2: room 12 costs 74.50 EUR\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
