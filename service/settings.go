package service

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
)

// Settings is a process's configuration with the origin of each value: a flag wins over the
// environment, that over the file, that over the default. Make it with NewSettings, register the
// flags, parse them, then Load.
type Settings struct {
	values     []*value
	file       *value            // --config itself
	flagProps  listFlag          // -X as given
	properties map[string]string // Kafka client properties
	origins    map[string]string // of properties
}

// value is one setting. Its name has dots; the flag has '-' there, the environment variable '_',
// the file a level.
type value struct {
	name, usage, standard string
	secret                bool
	check                 func(string) error

	text, origin string
	fromFlag     bool
}

func (v *value) flag() string { return strings.ReplaceAll(v.name, ".", "-") }
func (v *value) env() string {
	return "LEAT_" + strings.ToUpper(strings.ReplaceAll(v.name, ".", "_"))
}

// String implements flag.Value.
func (v *value) String() string { return v.text }

// Set implements flag.Value. Load checks the text: package flag would print a wrong one, and there
// may be a password in it.
func (v *value) Set(text string) error {
	v.text, v.origin, v.fromFlag = text, "flag --"+v.flag(), true
	return nil
}

// listFlag is a flag that may be given several times.
type listFlag []string

// String implements flag.Value.
func (l *listFlag) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *listFlag) Set(text string) error { *l = append(*l, text); return nil }

// Names of settings.
const (
	settingBrokers  = "kafka.brokers"
	settingDatabase = "database.url"
	settingConns    = "database.conns"
	settingMode     = "outbox.mode"
	settingLog      = "outbox.replication"
	settingPayload  = "payload.url"
	settingAbove    = "payload.above"
	settingKeep     = "payload.keep"
	settingListen   = "listen"
	settingPrefix   = "prefix"
	settingTopics   = "topics"
	settingWait     = "start.timeout"
	settingDelay    = "drain.delay"
	settingDrain    = "drain.timeout"
	settingLevel    = "log.level"
)

// NewSettings has every setting at its default.
func NewSettings() *Settings {
	s := &Settings{file: &value{name: "config", usage: "YAML `file` with settings", check: anything}}
	add := func(name, standard, usage string, check func(string) error) *value {
		v := &value{name: name, standard: standard, text: standard, origin: "default", usage: usage, check: check}
		s.values = append(s.values, v)
		return v
	}
	add(settingBrokers, "localhost:9092", "Kafka brokers, `host:port` with commas", anything)
	add(settingDatabase, "sqlite:data", "database `URL`: postgres://user@host/name (a schema per service) or sqlite:DIR (a file per service)", checkDatabase).secret = true
	add(settingConns, "0", "most database connections of one service, a `number`; 0: 10 on PostgreSQL, 4 readers on SQLite", checkCount)
	add(settingMode, "exact", "how relays read outboxes: `exact`, by polling; wal, in the order of all commits out of a replication slot, on PostgreSQL only", oneOf("exact", "wal"))
	add(settingLog, "", "database `URL` for mode wal, past a pooler; none: database.url", anything).secret = true
	add(settingPayload, "", "store of data that is too large for a topic, a `URL`: file:DIR, s3://BUCKET/PREFIX?endpoint=HOST:PORT or postgres://user@host/name; all services need the same", checkPayload).secret = true
	add(settingAbove, "524288", "size of data above which it goes there, a `number` of bytes", checkCount)
	add(settingKeep, "0s", "how long it is kept there, a `duration`; 0s: for ever", checkDelay)
	add(settingListen, "127.0.0.1:8080", "HTTP `address` for routes, probes and metrics; none: no listener", checkListen)
	add(settingPrefix, "", "`text` before the names of topics and groups", checkPrefix)
	add(settingTopics, "apply", "topics that are missing: `apply` makes them, check prints the plan and ends", oneOf("apply", "check"))
	add(settingWait, "60s", "longest wait at the start for what other services make, a `duration`", checkDuration)
	add(settingDelay, "0s", "time from /readyz turning red to the drain, for load balancers to notice, a `duration`", checkDelay)
	add(settingDrain, "25s", "longest wait at the end for what is in hand, a `duration`", checkDuration)
	add(settingLevel, "info", "log `level`: debug, info, warn or error", func(text string) error {
		var l slog.Level
		return l.UnmarshalText([]byte(text))
	})
	return s
}

// Flags registers the settings' flags.
func (s *Settings) Flags(fs *flag.FlagSet) {
	fs.Var(s.file, s.file.flag(), s.file.usage+" ("+s.file.env()+")")
	for _, v := range s.values {
		fs.Var(v, v.flag(), v.usage+" ("+v.env()+")")
	}
	fs.Var(&s.flagProps, "X", "Kafka client property `name=value` by Java's or librdkafka's name; repeat for more ("+kafka.EnvPrefix+"...)")
}

// Load reads the environment, given as os.Environ gives it, and the file that --config or
// LEAT_CONFIG names, and reports everything that is wrong with the values.
func (s *Settings) Load(environ []string) error {
	env := map[string]string{}
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		env[name] = text
	}
	if text, ok := env[s.file.env()]; ok && !s.file.fromFlag {
		s.file.text = text
	}
	file, err := readFile(s.file.text, s.names())
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range s.values {
		if v.fromFlag {
			// nothing wins over it
		} else if text, ok := env[v.env()]; ok {
			v.text, v.origin = text, "env "+v.env()
		} else if entry, ok := file.values[v.name]; ok {
			v.text, v.origin = entry.text, entry.origin
		}
		if err := v.check(v.text); err != nil {
			errs = append(errs, fmt.Errorf("%s (%s): %w", v.name, v.origin, err))
		}
	}
	return errors.Join(append(errs, s.loadProperties(environ, file))...)
}

func (s *Settings) names() []string {
	var names []string
	for _, v := range s.values {
		names = append(names, v.name)
	}
	return names
}

// loadProperties lays the properties of file, environment and flags over each other.
func (s *Settings) loadProperties(environ []string, file settingsFile) error {
	s.properties, s.origins = map[string]string{}, map[string]string{}
	lay := func(properties map[string]string, origin func(name string) string) {
		maps.Copy(s.properties, properties)
		for name := range properties {
			s.origins[name] = origin(name)
		}
	}
	for name, entry := range file.properties {
		lay(map[string]string{name: entry.text}, func(string) string { return entry.origin })
	}
	lay(kafka.PropertiesFromEnv(environ), func(name string) string {
		return "env " + kafka.EnvPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
	})
	given, err := kafka.ParseProperties(s.flagProps)
	if err != nil {
		return err
	}
	lay(given, func(string) string { return "flag -X" })
	return s.kafka(nil).Validate()
}

func (s *Settings) get(name string) string {
	i := slices.IndexFunc(s.values, func(v *value) bool { return v.name == name })
	return strings.TrimSpace(s.values[i].text)
}

func (s *Settings) duration(name string) time.Duration {
	d, _ := time.ParseDuration(s.get(name)) // checked by Load
	return d
}

// Level is the log level.
func (s *Settings) Level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(s.get(settingLevel))) // checked by Load
	return l
}

func (s *Settings) kafka(log *slog.Logger) kafka.Config {
	return kafka.Config{Brokers: strings.Split(s.get(settingBrokers), ","), Properties: s.properties, Logger: log}
}

// HostConfig is the configuration of a host of the given services, as the settings say.
func (s *Settings) HostConfig(log *slog.Logger, services ...Config) (HostConfig, error) {
	url, err := kafka.Expand(s.get(settingDatabase))
	if err != nil {
		return HostConfig{}, fmt.Errorf("%s: %w", settingDatabase, err)
	}
	payload, err := kafka.Expand(s.get(settingPayload))
	if err != nil {
		return HostConfig{}, fmt.Errorf("%s: %w", settingPayload, err)
	}
	replication, err := kafka.Expand(s.get(settingLog))
	if err != nil {
		return HostConfig{}, fmt.Errorf("%s: %w", settingLog, err)
	}
	above, _ := strconv.Atoi(s.get(settingAbove)) // checked by Load
	conns, _ := strconv.Atoi(s.get(settingConns)) // checked by Load
	listen := s.get(settingListen)
	if listen == "none" {
		listen = ""
	}
	return HostConfig{
		Services:      services,
		Kafka:         s.kafka(log),
		DatabaseURL:   url,
		DatabaseConns: conns,
		OutboxMode:    outbox.Mode(s.get(settingMode)),
		OutboxLogURL:  replication,
		PayloadURL:    payload,
		PayloadAbove:  above,
		PayloadKeep:   s.duration(settingKeep),
		Listen:        listen,
		Prefix:        s.get(settingPrefix),
		CheckTopics:   s.get(settingTopics) == "check",
		StartTimeout:  s.duration(settingWait),
		DrainDelay:    s.duration(settingDelay),
		DrainTimeout:  s.duration(settingDrain),
		Logger:        log,
	}, nil
}

func anything(string) error { return nil }

func oneOf(all ...string) func(string) error {
	return func(text string) error {
		if !slices.Contains(all, text) {
			return fmt.Errorf("%q is none of %s", text, strings.Join(all, ", "))
		}
		return nil
	}
}

func checkPayload(text string) error {
	if text == "" || strings.Contains(text, "${") {
		return nil
	}
	return blob.Config{URL: text}.Validate()
}

func checkCount(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 0 {
		return fmt.Errorf("%q is no number from 0", text)
	}
	return nil
}

func checkDelay(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no duration such as 5s", text)
	}
	return nil
}

func checkDuration(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no duration such as 30s, longer than 0s", text)
	}
	return nil
}

func checkListen(text string) error {
	if text == "none" {
		return nil
	}
	if _, _, err := net.SplitHostPort(text); err != nil {
		return fmt.Errorf("%q is no address such as 127.0.0.1:8080: %w", text, err)
	}
	return nil
}
