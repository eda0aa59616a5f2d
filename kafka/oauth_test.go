package kafka_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

// endpoint is a token endpoint that knows the client ann with the secret "s+ cret/".
func endpoint(t *testing.T, token func() string) (url, ca string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
			return
		}
		id, secret, _ := r.BasicAuth()
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka orders" || id != "ann" || secret != "s%2B+cret%2F" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token(), "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "idp.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.URL, ca, asked
}

func TestTokensLetIn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Security: &server.Security{}})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	topic := b.CreateTopic(t, "orders", 1, nil)
	acl := kadm.NewACLs().Topics(topic).ResourcePatternType(kadm.ACLPatternLiteral).
		Operations(kadm.OpWrite, kadm.OpDescribe).Allow("User:ann").AllowHosts()
	b.Allow(t, acl)
	token := func(audience string, ttl time.Duration) string {
		text, err := k.Token("ann", audience, ttl)
		if err != nil {
			t.Error(err)
		}
		return text
	}
	url, idp, asked := endpoint(t, func() string { return token(server.Audience, time.Hour) })
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(token(server.Audience, time.Hour))
	with := func(more ...string) kafka.Config {
		props := map[string]string{"security.protocol": "SASL_SSL", "ssl.ca.location": k.CAFile(), "sasl.mechanism": "OAUTHBEARER"}
		for i := 0; i < len(more); i += 2 {
			props[more[i]] = more[i+1]
		}
		return kafka.Config{Brokers: k.SecureBrokers(server.SASLTLS), Properties: props}
	}
	java := with("sasl.oauthbearer.token.endpoint.url", url+"/token", "https.ca.location", idp,
		"sasl.jaas.config", `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="ann" clientSecret="s+ cret/" scope="kafka orders" extension_tenant="shop";`)
	librdkafka := func(secret, path string) kafka.Config {
		return with("sasl.oauthbearer.method", "oidc", "sasl.oauthbearer.token.endpoint.url", url+path, "https.ca.location", idp,
			"sasl.oauthbearer.client.id", "ann", "sasl.oauthbearer.client.secret", secret, "sasl.oauthbearer.scope", "kafka orders")
	}

	sendOne(t, java, topic)
	if n := asked.Load(); n != 1 {
		t.Errorf("a token that lives for an hour was asked for %d times", n)
	}
	sendOne(t, librdkafka("s+ cret/", "/token"), topic)
	fromFile := with("leat.sasl.oauthbearer.token.file", file)
	sendOne(t, fromFile, topic)

	wants(t, refused(t, librdkafka("wrong", "/token")), "401 Unauthorized: invalid_client", "check the client id")
	wants(t, refused(t, librdkafka("s+ cret/", "/elsewhere")), "redirects")
	wants(t, refused(t, with("sasl.oauthbearer.token.endpoint.url", url+"/token",
		"sasl.oauthbearer.client.id", "ann", "sasl.oauthbearer.client.secret", "s")), "https.ca.location")
	for bad, want := range map[string]string{
		token("billing", time.Hour):          "the broker refused the token", // another audience
		token(server.Audience, -time.Second): "hung up on the token",         // ended: Kafka 4.3 says nothing
		"nojwt":                              "the broker refused the token",
	} {
		write(bad)
		got := refused(t, fromFile)
		wants(t, got, want)
		if strings.Contains(got, bad) {
			t.Errorf("the token is in %q", got)
		}
	}
}

// A certificate, a key, an authority or a token that is renewed is used from the next connection on.
func TestRenewedFilesAreUsedWithoutARestart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{Security: &server.Security{}})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	good, _, err := k.ClientCert("ann")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	move := func(from, to string) {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(at(to), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	move(k.CAFile(), "ca")
	move(good, "cert")
	move(strings.TrimSuffix(good, ".pem")+".key", "key")
	c := broker.Open(t, kafka.Config{Brokers: k.SecureBrokers(server.MTLS), Properties: map[string]string{
		"ssl.ca.location": at("ca"), "ssl.certificate.location": at("cert"), "ssl.key.location": at("key"),
		"connections.max.idle.ms": "1000",
	}})
	// Another user's pair takes the files' place; whom the broker sees tells which it got.
	next, _, err := k.ClientCert("bob")
	if err != nil {
		t.Fatal(err)
	}
	move(next, "cert")
	move(strings.TrimSuffix(next, ".pem")+".key", "key")
	_, idp, _ := endpoint(t, nil)
	move(idp, "ca") // an authority that did not sign the brokers
	if err := k.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	leattest.Eventually(t, "the other authority is not trusted", func() error {
		if said := errorOf(c.Ping(within(t, time.Minute))); !strings.Contains(said, "authority that is not trusted") {
			return errors.New(said)
		}
		return nil
	})
	move(k.CAFile(), "ca")
	leattest.Eventually(t, "the renewed files let in", func() error { return c.Ping(t.Context()) })
}

func errorOf(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func TestTokensAreConfiguredRight(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a b"), 0o600); err != nil {
		t.Fatal(err)
	}
	const url = "sasl.oauthbearer.token.endpoint.url"
	for want, props := range map[string]string{
		"needs a token":                        "sasl.mechanism=OAUTHBEARER security.protocol=SASL_SSL",
		"shows the token to the network":       "leat.sasl.oauthbearer.token.file=" + file,
		"the file holds no token":              "security.protocol=SASL_SSL leat.sasl.oauthbearer.token.file=" + file,
		"both a token file and a token":        "security.protocol=SASL_SSL leat.sasl.oauthbearer.token.file=" + file + " " + url + "=https://idp/",
		"http shows the client's secret":       "security.protocol=SASL_SSL sasl.oauthbearer.client.id=a sasl.oauthbearer.client.secret=b " + url + "=http://idp.example/",
		"is a file; set":                       "security.protocol=SASL_SSL sasl.oauthbearer.client.id=a sasl.oauthbearer.client.secret=b " + url + "=file:///etc/passwd",
		"wants to know who asks":               "security.protocol=SASL_SSL " + url + "=https://idp/",
		"takes no sasl.username":               "security.protocol=SASL_SSL sasl.mechanism=OAUTHBEARER sasl.username=a sasl.password=b",
		"set it to OAUTHBEARER":                "security.protocol=SASL_SSL sasl.mechanism=PLAIN sasl.username=a sasl.password=b " + url + "=https://idp/",
		"names are letters":                    "security.protocol=SASL_SSL sasl.oauthbearer.extensions=a1=b " + url + "=https://idp/",
		"nobody signed":                        "enable.sasl.oauthbearer.unsecure.jwt=true",
		"only client_credentials is supported": "sasl.oauthbearer.grant.type=jwt-bearer",
	} {
		all, err := kafka.ParseProperties(strings.Fields(props))
		if err != nil {
			t.Fatal(err)
		}
		wants(t, errorOf(kafka.Config{Properties: all}.Validate()), want)
	}
	ok, err := kafka.ParseProperties(strings.Fields("security.protocol=SASL_SSL sasl.oauthbearer.client.id=a sasl.oauthbearer.client.secret=b " + url + "=http://127.0.0.1:1/"))
	if err != nil {
		t.Fatal(err)
	}
	if err := (kafka.Config{Properties: ok}).Validate(); err != nil {
		t.Error(err)
	}
}
