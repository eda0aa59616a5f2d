package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// property is what leat does with one of the names that Java's client or librdkafka knows: it has an
// effect, or it is refused with the reason.
type property struct {
	apply  func(r *resolved, value string) error
	refuse string
}

// refusedFamilies are refused as a whole, by the name's beginning.
var refusedFamilies = []struct{ prefix, reason string }{
	{"sasl.kerberos.", "Kerberos is not supported; use SCRAM-SHA-512"},
	{"sasl.oauthbearer.", "tokens come from a token endpoint by client credentials, or from a file; other ways are Java's or librdkafka's own"},
	{"sasl.login.", "login callbacks are Java classes; use SCRAM-SHA-512 with sasl.username and sasl.password"},
	{"metrics.", "metrics are on the service's /metrics"},
	{"auto.include.jmx.", "metrics are on the service's /metrics"},
}

// PropertyNames are the names of all properties that have an effect, sorted.
func PropertyNames() []string {
	var names []string
	for name, p := range properties {
		if p.apply != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// applyProperties resolves references and applies each property, in the order of the names.
func (r *resolved) applyProperties() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		if err := r.applyProperty(name); err != nil {
			errs = append(errs, err)
		}
	}
	r.TLS.Enabled = r.TLS.set()
	if err := r.applyProtocol(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, r.applyMembership(), r.applyCombined())...)
}

func (r *resolved) applyProperty(name string) error {
	p, known := properties[name]
	switch {
	case !known:
		for _, f := range refusedFamilies {
			if strings.HasPrefix(name, f.prefix) {
				return fmt.Errorf("property %s: %s", name, f.reason)
			}
		}
		return unknownProperty(name)
	case p.refuse != "":
		return fmt.Errorf("property %s: %s", name, p.refuse)
	}
	value, err := Expand(r.Properties[name])
	if err == nil {
		err = p.apply(r, strings.TrimSpace(value))
	}
	if err != nil {
		return fmt.Errorf("property %s: %w", name, err)
	}
	return nil
}

// applyCombined makes options of what two or more properties say together.
func (r *resolved) applyCombined() error {
	if b := r.backoff; b.base > 0 || b.max > 0 {
		base := cmp.Or(b.base, defaultBackoff)
		r.opts = append(r.opts, kgo.RetryBackoffFn(backoff(base, max(cmp.Or(b.max, defaultBackoffMax), base))))
	}
	if len(r.codec.levels) > 0 && r.codec.name == "" {
		return errors.New("property compression.level: set compression.type too")
	}
	if r.codec.name != "" {
		codecs, err := compression(r.codec.name, r.codec.levels)
		if err != nil {
			return fmt.Errorf("property compression.type: %w", err)
		}
		r.opts = append(r.opts, kgo.ProducerBatchCompression(codecs...))
	}
	return nil
}

func unknownProperty(name string) error {
	near := nearest(name, slices.Collect(maps.Keys(properties)))
	if near == "" {
		return fmt.Errorf("property %s: Java's and librdkafka's clients have no such property", name)
	}
	return fmt.Errorf("property %s: not known; is it %s?", name, near)
}

// nearest is the known name that differs least from name, or "" where none is near.
func nearest(name string, names []string) string {
	near, best := "", len(name)/2+1
	for _, known := range names {
		if d := distance(name, known); d < best || d == best && known < near {
			near, best = known, d
		}
	}
	return near
}

// distance is Levenshtein's: the least number of letters to insert, delete or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// ParseProperties makes properties of "name=value" texts, as they stand on a command line. Later ones
// win.
func ParseProperties(texts []string) (map[string]string, error) {
	props := make(map[string]string, len(texts))
	var errs []error
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			errs = append(errs, fmt.Errorf("property %q: write name=value", name))
			continue
		}
		props[name] = strings.TrimSpace(value)
	}
	return props, errors.Join(errs...)
}

// EnvPrefix is how the environment variables that hold properties begin: LEAT_KAFKA_X_SASL_USERNAME
// is sasl.username.
const EnvPrefix = "LEAT_KAFKA_X_"

// PropertiesFromEnv takes the properties out of an environment ("NAME=value", as os.Environ lists
// it). The rest of the name is lower-cased and its underscores become dots.
func PropertiesFromEnv(environ []string) map[string]string {
	props := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if rest, ok := strings.CutPrefix(name, EnvPrefix); ok && rest != "" {
			props[strings.ToLower(strings.ReplaceAll(rest, "_", "."))] = value
		}
	}
	return props
}

// SecretProperty says whether the property's value must not be shown.
func SecretProperty(name string) bool {
	switch name {
	case "sasl.password", "sasl.jaas.config", "ssl.keystore.key", "ssl.key.pem", "ssl.key.password", "ssl.keystore.password", "ssl.truststore.password":
		return true
	}
	return strings.Contains(name, "password") || strings.Contains(name, "secret")
}
