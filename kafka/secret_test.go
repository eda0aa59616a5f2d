package kafka_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatdev/leat/kafka"
)

func TestSecretShowsNowhere(t *testing.T) {
	t.Parallel()
	const word = "hunter2"
	cfg := kafka.Config{
		SASL: kafka.SASLConfig{User: "u", Password: word},
		TLS:  kafka.TLSConfig{Key: word},
		Properties: map[string]string{
			"sasl.password":    word,
			"sasl.jaas.config": "x.ScramLoginModule required username=u password=" + word + ";",
			"ssl.key.pem":      word,
			"linger.ms":        "12",
		},
	}
	var all bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&all, verb+"\n", cfg)
		fmt.Fprintf(&all, verb+"\n", &cfg.SASL)
		fmt.Fprintf(&all, verb+"\n", cfg.SASL.Password)
	}
	data, err := json.Marshal([]any{cfg.SASL, cfg.SASL.Password})
	if err != nil {
		t.Fatal(err)
	}
	all.Write(data)
	for _, h := range []slog.Handler{slog.NewTextHandler(&all, nil), slog.NewJSONHandler(&all, nil)} {
		slog.New(h).Info("x", "password", cfg.SASL.Password, "sasl", cfg.SASL, "config", cfg)
	}
	text := strings.ToLower(all.String())
	for _, leak := range []string{word, fmt.Sprintf("%x", word)} {
		if strings.Contains(text, leak) {
			t.Errorf("%q shows in\n%s", leak, text)
		}
	}
	if !strings.Contains(text, "linger.ms=12") {
		t.Errorf("what is no secret does not show in\n%s", text)
	}
	if s, err := cfg.SASL.Password.Reveal(); err != nil || s != word {
		t.Errorf("revealed %q, %v", s, err)
	}
	if kafka.Secret("").String() != "" {
		t.Error("an empty secret looks like one")
	}
}

func TestExpand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LEAT_T", "from env")
	for _, c := range []struct{ in, want, err string }{
		{"plain", "plain", ""},
		{"${env:LEAT_T}", "from env", ""},
		{"a ${env:LEAT_T} b ${file:" + file + "}.", "a from env b from file.", ""},
		{"$${x} ${y ${other:z}", "$${x} ${y ${other:z}", ""},
		{"${env:LEAT_NOT_SET} ${file:/none}", "", "resolve ${env:LEAT_NOT_SET}: the variable is not set\nresolve ${file:/none}: open /none: no such file or directory"},
	} {
		got, err := kafka.Expand(c.in)
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
	}
}
