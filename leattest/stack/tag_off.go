//go:build !synctests

package stack

const bubbles = false
