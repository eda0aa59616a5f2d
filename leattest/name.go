package leattest

import (
	"crypto/rand"
	"strings"
)

// Name returns prefix with a random ending, such as "orders-k3x7q2mz": fit for
// topics, groups, transactional ids, schemas and files, and never the same twice.
func Name(prefix string) string {
	return prefix + "-" + strings.ToLower(rand.Text()[:8])
}
