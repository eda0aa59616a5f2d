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
	"github.com/leatdev/leat/schema"
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
	hide                  func(text string) string // what Print shows in place of the text; nil: all of it
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
	settingRetain   = "outbox.keep"
	settingPart     = "outbox.partition"
	settingOld      = "outbox.old"
	settingPayload  = "payload.url"
	settingAbove    = "payload.above"
	settingKeep     = "payload.keep"
	settingRegistry = "registry.url"
	settingUser     = "registry.user"
	settingToken    = "registry.token"
	settingCA       = "registry.ca"
	settingCert     = "registry.cert"
	settingKey      = "registry.key"
	settingSchemas  = "registry.schemas"
	settingFrame    = "registry.frame"
	settingNormal   = "registry.normalize"
	settingValidate = "registry.validate"
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
	add(settingDatabase, "sqlite:data", "database `URL`: postgres://user@host/name (a schema per service) or sqlite:DIR (a file per service)", checkDatabase).hide = redactURL
	add(settingConns, "0", "most database connections of one service, a `number`; 0: 10 on PostgreSQL, 4 readers on SQLite", checkCount)
	add(settingMode, "exact", "how relays read outboxes: `exact`, by polling; retain, the same with events that stay for audit and replay; wal, in the order of all commits out of a replication slot; message, the same without a table; all but exact on PostgreSQL only", oneOf("exact", "retain", "wal", "message"))
	add(settingLog, "", "database `URL` for mode wal, past a pooler; none: database.url", anything).hide = redactURL
	add(settingRetain, "168h", "how long mode retain keeps events that have left, a `duration`; 0s: for ever", checkDelay)
	add(settingPart, "24h", "time that one of its partitions holds, a `duration` of at least 1s", checkDuration)
	add(settingOld, oldDrop, "what becomes of partitions that are older: `drop`, or detach, which leaves them as tables of their own", oneOf(oldDrop, oldDetach))
	add(settingPayload, "", "store of data that is too large for a topic, a `URL`: file:DIR, s3://BUCKET/PREFIX?endpoint=HOST:PORT or postgres://user@host/name; all services need the same", checkPayload).hide = redactURL
	add(settingAbove, "524288", "size of data above which it goes there, a `number` of bytes", checkCount)
	add(settingKeep, "0s", "how long it is kept there, a `duration`; 0s: for ever", checkDelay)
	add(settingRegistry, "", "schema registry, `http://host:port` with commas; none: all topics are plain JSON", checkRegistry)
	add(settingUser, "", "`user:password` for the registry", anything).hide = redactUser
	add(settingToken, "", "bearer `token` for the registry", anything).hide = redactToken
	add(settingCA, "", "PEM `file` of the authorities to trust at the registry; none: the system's", anything)
	add(settingCert, "", "PEM `file` of the certificate to show to the registry", anything)
	add(settingKey, "", "PEM `file` of that certificate's key; none: it is in the certificate's file", anything)
	add(settingSchemas, SchemasCheck, "schemas of what is written: `check` wants them registered, register registers them, latest writes by the latest version", oneOf(SchemasCheck, SchemasRegister, SchemasLatest))
	add(settingFrame, framePrefix, "where a record names its schema: `prefix`, before the data, or header", oneOf(framePrefix, frameHeader))
	add(settingNormal, "false", "`true` makes the registry compare schemas by their meaning", oneOf("true", "false"))
	add(settingValidate, validateWrites, "when JSON is checked against its schema: on `write`, or on both", oneOf(validateWrites, validateBoth))
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
	registry, err := s.registry()
	if err != nil {
		return HostConfig{}, err
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
		OutboxKeep:    s.forEver(settingRetain),
		OutboxPart:    s.duration(settingPart),
		OutboxDetach:  s.get(settingOld) == oldDetach,
		PayloadURL:    payload,
		PayloadAbove:  above,
		PayloadKeep:   s.duration(settingKeep),
		Registry:      registry,
		Listen:        listen,
		Prefix:        s.get(settingPrefix),
		CheckTopics:   s.get(settingTopics) == "check",
		StartTimeout:  s.duration(settingWait),
		DrainDelay:    s.duration(settingDelay),
		DrainTimeout:  s.duration(settingDrain),
		Logger:        log,
	}, nil
}

// What becomes of old partitions of kept events.
const (
	oldDrop   = "drop"
	oldDetach = "detach"
)

// forEver is a duration in which 0s says for ever, -1 where it does.
func (s *Settings) forEver(name string) time.Duration {
	if d := s.duration(name); d > 0 {
		return d
	}
	return -1
}

// Where a record names its schema.
const (
	framePrefix = "prefix"
	frameHeader = "header"
)

// When JSON is checked against its schema.
const (
	validateWrites = "write"
	validateBoth   = "both"
)

func (s *Settings) registry() (RegistryConfig, error) {
	c := RegistryConfig{
		TLS:     kafka.TLSConfig{CA: s.get(settingCA), Cert: s.get(settingCert), Key: kafka.Secret(s.get(settingKey))},
		Schemas: s.get(settingSchemas), Header: s.get(settingFrame) == frameHeader, Normalize: s.get(settingNormal) == "true",
		ValidateReads: s.get(settingValidate) == validateBoth,
	}
	if text := s.get(settingRegistry); text != "" {
		c.URLs = strings.Split(text, ",")
	}
	user, err := kafka.Expand(s.get(settingUser))
	if err != nil {
		return c, fmt.Errorf("%s: %w", settingUser, err)
	}
	c.User, c.Password, _ = strings.Cut(user, ":")
	if c.Token, err = kafka.Expand(s.get(settingToken)); err != nil {
		return c, fmt.Errorf("%s: %w", settingToken, err)
	}
	return c, nil
}

func checkRegistry(text string) error {
	if text == "" {
		return nil
	}
	return schema.ClientConfig{URLs: strings.Split(text, ",")}.Validate()
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
