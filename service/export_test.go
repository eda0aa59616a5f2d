package service

import "github.com/leatdev/leat/internal/telemetry"

// Registry lets tests list the metrics of a host.
func (h *Host) Registry() *telemetry.Registry { return h.metrics }
