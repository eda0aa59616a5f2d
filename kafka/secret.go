package kafka

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is text that must not be seen: it prints, formats, logs and marshals as "***". It may hold
// references, ${env:NAME} and ${file:PATH}, that Reveal resolves.
type Secret string

const redacted = "***"

// String is "***", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from showing the secret.
func (s Secret) GoString() string { return "kafka.Secret(" + redacted + ")" }

// Format keeps every verb of fmt, %x and %q included, from showing the secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalJSON is "***" as JSON, or "" for an empty secret.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText is "***", for YAML, XML and map keys.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Reveal returns the text itself with its references resolved; call it where the secret is used and
// nowhere else.
func (s Secret) Reveal() (string, error) { return Expand(string(s)) }

// Expand replaces ${env:NAME} by the environment variable and ${file:PATH} by the file's content
// without its last line break. A variable that is not set and a file that can't be read are errors,
// which name them and nothing of the value. Other text, "${" included, stays as it is.
func Expand(text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var out strings.Builder
	var errs []error
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			break
		}
		ref, after, closed := strings.Cut(rest, "}")
		kind, name, isRef := strings.Cut(ref, ":")
		if !closed || !isRef || (kind != "env" && kind != "file") {
			out.WriteString("${")
			text = rest
			continue
		}
		value, err := lookUp(kind, name)
		if err != nil {
			errs = append(errs, err)
		}
		out.WriteString(value)
		text = after
	}
	return out.String(), errors.Join(errs...)
}

func lookUp(kind, name string) (string, error) {
	if kind == "env" {
		value, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("resolve ${env:%s}: the variable is not set", name)
		}
		return value, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("resolve ${file:%s}: %w", name, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}
