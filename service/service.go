package service

import (
	"log/slog"
)

// Service is a service at work, as its routes and parts see it.
type Service struct {
	name string
	log  *slog.Logger
}

// Name is the service's name.
func (s *Service) Name() string { return s.name }

// Logger writes the service's log lines; lines with the context of a request or an event carry its
// ids.
func (s *Service) Logger() *slog.Logger { return s.log }
