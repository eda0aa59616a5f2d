package service

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/leatdev/leat/internal/telemetry"
)

// Registry lets tests list the metrics of a host.
func (h *Host) Registry() *telemetry.Registry { return h.metrics }

// Reference is the table of all settings, for docs/reference/config.md.
func (s *Settings) Reference() string {
	var b strings.Builder
	b.WriteString("| setting, as in the file | flag | environment | default | what it says |\n|---|---|---|---|---|\n")
	for _, v := range s.values {
		fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | `%s` | %s |\n", v.name, v.flag(), v.env(), quoteEmpty(v.standard), strings.ReplaceAll(v.usage, "|", `\|`))
	}
	return b.String()
}

// OpenServer is the host's HTTP server as it is once everything has started.
func (h *Host) OpenServer() *http.Server {
	h.gate.unlock()
	return h.server()
}

// UntilThere is untilThere.
var UntilThere = untilThere
