package service_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/service"
)

// load reads settings as a process with these flags, environment and file would.
func load(t *testing.T, args, environ []string, file string) (*service.Settings, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "leat.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		environ = append(environ, "LEAT_CONFIG="+path)
	}
	s := service.NewSettings()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	s.Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return s, s.Load(environ)
}

// printed is what --print-config says, with blanks made one and the file's directory taken out.
func printed(t *testing.T, s *service.Settings) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(out.String()) {
		f := strings.Fields(line)
		for i := range f {
			f[i] = filepath.Base(f[i])
			if strings.Contains(f[i], "leat.yaml") {
				f[i] = f[i][strings.Index(f[i], "leat.yaml"):]
			}
		}
		lines[f[0]] = strings.Join(f[1:], " ")
	}
	return lines
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	t.Parallel()
	s, err := load(
		t,
		[]string{"--listen", "127.0.0.1:1", "-X", "sasl.username=flag"},
		[]string{"LEAT_LISTEN=127.0.0.1:2", "LEAT_PREFIX=env.", "LEAT_KAFKA_X_SASL_PASSWORD=hush", "LEAT_KAFKA_X_SASL_MECHANISM=PLAIN"},
		`
listen: 127.0.0.1:3
prefix: file.
kafka:
  brokers: [a:1, b:2]
  properties:
    sasl.username: file
    sasl.mechanism: SCRAM-SHA-512
    security.protocol: SASL_SSL
drain:
  timeout: 7s
`,
	)
	if err != nil {
		t.Fatal(err)
	}
	got := printed(t, s)
	want := map[string]string{
		"SETTING":                            "VALUE ORIGIN",
		"listen":                             "127.0.0.1:1 flag --listen",
		"payload.url":                        "\"\" default",
		"outbox.mode":                        "exact default",
		"outbox.replication":                 "\"\" default",
		"outbox.keep":                        "168h default",
		"outbox.partition":                   "24h default",
		"outbox.old":                         "drop default",
		"payload.above":                      "524288 default",
		"payload.keep":                       "0s default",
		"registry.url":                       "\"\" default",
		"registry.user":                      "\"\" default",
		"registry.token":                     "\"\" default",
		"registry.ca":                        "\"\" default",
		"registry.cert":                      "\"\" default",
		"registry.key":                       "\"\" default",
		"registry.schemas":                   "check default",
		"registry.frame":                     "prefix default",
		"registry.normalize":                 "false default",
		"registry.validate":                  "write default",
		"prefix":                             "env. env LEAT_PREFIX",
		"kafka.brokers":                      "a:1,b:2 file leat.yaml:5",
		"drain.timeout":                      "7s file leat.yaml:11",
		"drain.delay":                        "0s default",
		"start.timeout":                      "60s default",
		"topics":                             "apply default",
		"log.level":                          "info default",
		"database.url":                       "sqlite:data default",
		"database.conns":                     "0 default",
		"kafka.properties.sasl.username":     "flag flag -X",
		"kafka.properties.sasl.password":     "*** env LEAT_KAFKA_X_SASL_PASSWORD",
		"kafka.properties.sasl.mechanism":    "PLAIN env LEAT_KAFKA_X_SASL_MECHANISM",
		"kafka.properties.security.protocol": "SASL_SSL file leat.yaml:9",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	host, err := s.HostConfig(nil, service.Config{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if host.Listen != "127.0.0.1:1" || host.Prefix != "env." || host.DrainTimeout != 7*time.Second || host.DatabaseURL != "sqlite:data" {
		t.Errorf("host %+v", host)
	}
	if diff := cmp.Diff([]string{"a:1", "b:2"}, host.Kafka.Brokers); diff != "" {
		t.Error(diff)
	}
	if host.Kafka.Properties["sasl.password"] != "hush" || host.Kafka.Properties["sasl.username"] != "flag" {
		t.Errorf("properties %v", host.Kafka.Properties)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://u:s3cret@h/db",
		"postgres://u:s3/cr@et@h:5432/db?sslmode=disable",
		"postgresql://h/db?user=u&password=s3cret&sslmode=disable",
		"postgres://u@h/db?sslpassword=s3cret",
	} {
		s, err := load(t, []string{"--database-url", url, "-X", "sasl.password=s3cret", "-X", "sasl.username=u", "-X", "sasl.mechanism=PLAIN", "-X", "security.protocol=SASL_SSL"}, nil, "")
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		var out bytes.Buffer
		if err := s.Print(&out); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"s3cret", "s3/cr", "cr@et"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("the secret of %s is printed:\n%s", url, out.String())
			}
		}
	}
}

func TestSecretsOfTheRegistryAndOfStoresAreNotPrinted(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"registry.user", "ann:s3cret", "ann:***"},
		{"registry.user", "ann:s3:cret", "ann:***"},
		{"registry.token", "s3cret", "***"},
		{"payload.url", "s3://AK:s3cret@bucket/prefix", "s3://AK:***@bucket/prefix"},
		{"payload.url", "postgres://u:s3cret@h/db", "postgres://u:***@h/db"},
		{"outbox.replication", "postgres://u:s3cret@h/db", "postgres://u:***@h/db"},
	} {
		s, err := load(t, []string{"--" + strings.ReplaceAll(c[0], ".", "-"), c[1]}, nil, "")
		if err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
		var out bytes.Buffer
		if err := s.Print(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), c[2]) || strings.Contains(out.String(), "cret@") || strings.Contains(out.String(), "s3cret") {
			t.Errorf("%s %s: want %s in\n%s", c[0], c[1], c[2], out.String())
		}
	}
}

func TestWrongSettingsAreAllNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		args, environ []string
		file          string
		want          []string
	}{
		{"several", []string{"--topics", "maybe"}, []string{"LEAT_DRAIN_TIMEOUT=soon", "LEAT_LISTEN=8080"}, "start: {timeout: -1s}", []string{
			`topics (flag --topics): "maybe" is none of apply, check`,
			`drain.timeout (env LEAT_DRAIN_TIMEOUT): "soon" is no duration such as 30s`,
			`listen (env LEAT_LISTEN): "8080" is no address such as 127.0.0.1:8080`,
			`leat.yaml:1): "-1s" is no duration`,
		}},
		{"unknown in the file", nil, nil, "listn: x\nkafka: {broker: y}", []string{"leat.yaml:1: listn is no setting", "leat.yaml:2: kafka.broker is no setting; known are kafka.brokers, database.url"}},
		{"no settings in the file", nil, nil, "- a", []string{"settings are names with values"}},
		{"no YAML", nil, nil, "a: [", []string{"read the settings file"}},
		{"no file", nil, []string{"LEAT_CONFIG=/nowhere/leat.yaml"}, "", []string{"read the settings file (--config, LEAT_CONFIG)"}},
		{"property without value", []string{"-X", "acks"}, nil, "", []string{"write name=value"}},
		{"unknown property", []string{"-X", "sasl.mechanizm=PLAIN"}, nil, "", []string{"is it sasl.mechanism?"}},
		{"database", []string{"--database-url", "mysql://u:s3cret@h/db"}, nil, "", []string{"mysql://u:***@h/db", "is neither postgres://user@host/name nor sqlite:DIR"}},
		{"prefix", []string{"--prefix", "a b"}, nil, "", []string{`prefix "a b"`}},
		{"level", []string{"--log-level", "loud"}, nil, "", []string{"log.level"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.args, c.environ, c.file)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
}

func TestDatabaseURLTakesReferences(t *testing.T) {
	t.Setenv("PG_PASSWORD", "hush")
	s, err := load(t, nil, []string{"LEAT_DATABASE_URL=postgres://u:${env:PG_PASSWORD}@h/db"}, "")
	if err != nil {
		t.Fatal(err)
	}
	host, err := s.HostConfig(nil)
	if err != nil || host.DatabaseURL != "postgres://u:hush@h/db" {
		t.Errorf("%q, %v", host.DatabaseURL, err)
	}
	if got := printed(t, s)["database.url"]; strings.Contains(got, "hush") {
		t.Errorf("printed %s", got)
	}
}
