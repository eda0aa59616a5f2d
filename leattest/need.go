package leattest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Need returns where the server of that kind is, as the environment says:
// LEAT_TEST_KAFKA for "kafka", LEAT_TEST_POSTGRES for "postgres". Where it does
// not say, the test is skipped with the reason, or fails if LEAT_TEST_REQUIRE, a
// list with commas, names the kind.
func Need(t testing.TB, kind string) string {
	t.Helper()
	name := "LEAT_TEST_" + strings.ToUpper(kind)
	if where := os.Getenv(name); where != "" {
		return where
	}
	Missing(t, kind, name+" is not set (make test sets it)")
	return ""
}

// Missing ends a test that cannot run because something of that kind is not
// there: skipped with the reason, or failed if LEAT_TEST_REQUIRE names the kind.
func Missing(t testing.TB, kind, reason string) {
	t.Helper()
	if Required(kind) {
		t.Fatalf("needs %s, and LEAT_TEST_REQUIRE allows no skip: %s", kind, reason)
	}
	t.Skipf("needs %s: %s", kind, reason)
}

// Required tells whether LEAT_TEST_REQUIRE names the kind.
func Required(kind string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv("LEAT_TEST_REQUIRE"), ","), func(s string) bool {
		return strings.TrimSpace(s) == kind
	})
}
