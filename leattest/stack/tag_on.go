//go:build synctests

package stack

const bubbles = true
