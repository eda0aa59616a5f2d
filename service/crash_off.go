//go:build !crashpoint

package service

// crashHook is nil in a binary built without the tag crashpoint.
func crashHook() (func(service, point string), error) { return nil, nil }
