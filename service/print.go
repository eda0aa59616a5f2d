package service

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/leatdev/leat/kafka"
)

const redacted = "***"

// Print writes each setting with its value and where that comes from, one per line. Secrets are
// redacted.
func (s *Settings) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tORIGIN")
	for _, v := range s.values {
		text := v.text
		if v.hide != nil {
			text = v.hide(text)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", v.name, quoteEmpty(text), v.origin)
	}
	for _, name := range slices.Sorted(maps.Keys(s.properties)) {
		text := s.properties[name]
		if kafka.SecretProperty(name) {
			text = redacted
		}
		fmt.Fprintf(t, "%s.%s\t%s\t%s\n", fileProperties, name, quoteEmpty(text), s.origins[name])
	}
	return t.Flush()
}

func quoteEmpty(text string) string {
	if text == "" {
		return `""`
	}
	return text
}

var (
	urlUser     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([a-z][a-z0-9]*://[^:/@?#]*):.*@`) })
	urlPassword = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)([?&][^=&]*(?:password|secret)[^=&]*)=[^&]*`) })
)

// redactURL hides the password of a database or store URL, in the user's part and in the query. It works on
// the text and not on a parsed URL: a password with an unescaped '/' must not show either.
func redactURL(text string) string {
	text = urlUser().ReplaceAllString(text, "$1:"+redacted+"@")
	return urlPassword().ReplaceAllString(text, "$1="+redacted)
}

// redactUser hides the password of user:password.
func redactUser(text string) string {
	if user, _, found := strings.Cut(text, ":"); found {
		return user + ":" + redacted
	}
	return text
}

// redactToken hides all of it, but not that there is one.
func redactToken(text string) string {
	if text == "" {
		return ""
	}
	return redacted
}

func checkDatabase(text string) error {
	if strings.HasPrefix(text, "sqlite:") && len(text) > len("sqlite:") || strings.Contains(text, "${") {
		return nil
	}
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return nil
	}
	return fmt.Errorf("%q is neither postgres://user@host/name nor sqlite:DIR", redactURL(text))
}
