package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// The listeners that KafkaConfig.Security adds to every node.
const (
	// TLS encrypts; clients are anonymous and may do anything.
	TLS = "TLS"
	// MTLS wants a client certificate; its common name is the user.
	MTLS = "MTLS"
	// SASL wants a user by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, or a Token by OAUTHBEARER,
	// without encryption.
	SASL = "SASL"
	// SASLTLS is SASL over TLS.
	SASLTLS = "SASLTLS"
)

var secureListeners = []string{TLS, MTLS, SASL, SASLTLS}

// Security says who may come in by the secured listeners. An authorizer refuses a
// named user everything that no ACL allows; tests add ACLs through Brokers.
type Security struct {
	// Users are names and passwords, for PLAIN and both kinds of SCRAM.
	Users map[string]string
}

func protocol(listener string) string {
	switch listener {
	case TLS, MTLS:
		return "SSL"
	case SASL:
		return "SASL_PLAINTEXT"
	case SASLTLS:
		return "SASL_SSL"
	}
	return "PLAINTEXT"
}

// scramMechanisms by the number that the protocol gives them.
var scramMechanisms = []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512}

func (s *Security) properties(pki *pki) map[string]string {
	p := map[string]string{
		"ssl.keystore.type":                  "PEM",
		"ssl.keystore.location":              pki.broker,
		"ssl.truststore.type":                "PEM",
		"ssl.truststore.location":            pki.ca,
		"listener.name.mtls.ssl.client.auth": "required",
		"ssl.principal.mapping.rules":        `RULE:^CN=([^,]+).*$/$1/,DEFAULT`,
		"authorizer.class.name":              "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                        "User:ANONYMOUS",
		"allow.everyone.if.no.acl.found":     "false",
	}
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, user := range slices.Sorted(maps.Keys(s.Users)) {
		plain += fmt.Sprintf(` user_%s="%s"`, user, quote.Replace(s.Users[user]))
	}
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	for _, l := range []string{SASL, SASLTLS} {
		prefix := "listener.name." + strings.ToLower(l) + "."
		p[prefix+"sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
		p[prefix+"plain.sasl.jaas.config"] = plain + ";"
		p[prefix+"scram-sha-256.sasl.jaas.config"] = scram
		p[prefix+"scram-sha-512.sasl.jaas.config"] = scram
		bearer := "org.apache.kafka.common.security.oauthbearer."
		p[prefix+"oauthbearer.sasl.jaas.config"] = bearer + "OAuthBearerLoginModule required;"
		p[prefix+"oauthbearer.sasl.server.callback.handler.class"] = bearer + "OAuthBearerValidatorCallbackHandler"
		p[prefix+"sasl.oauthbearer.jwks.endpoint.url"] = pki.issuer.url()
		p[prefix+"sasl.oauthbearer.expected.audience"] = Audience
	}
	return p
}

// SecureBrokers returns the addresses of a secured listener: TLS, MTLS, SASL or
// SASLTLS. Without KafkaConfig.Security there are none.
func (k *Kafka) SecureBrokers(listener string) []string { return k.addrs(listener) }

// CAFile returns the PEM file of the authority that signed the brokers'
// certificates, or "" without KafkaConfig.Security.
func (k *Kafka) CAFile() string {
	if k.pki == nil {
		return ""
	}
	return k.pki.ca
}

// ClientCert makes a certificate for a user and returns its PEM files.
func (k *Kafka) ClientCert(user string) (certFile, keyFile string, err error) {
	if k.pki == nil {
		return "", "", fmt.Errorf("make a certificate for %s: KafkaConfig.Security is nil", user)
	}
	return k.pki.client(user)
}

// makeUsers stores the SCRAM passwords and waits until they can be read back. Each
// mechanism has its own request: Kafka refuses a user that is twice in one.
func (k *Kafka) makeUsers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startIn)
	defer cancel()
	cl, err := k.client(k.Brokers()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for _, m := range scramMechanisms {
		var upserts []kadm.UpsertSCRAM
		for user, password := range k.cfg.Security.Users {
			upserts = append(upserts, kadm.UpsertSCRAM{User: user, Mechanism: m, Iterations: 4096, Password: password})
		}
		if len(upserts) == 0 {
			return nil
		}
		altered, err := adm.AlterUserSCRAMs(ctx, nil, upserts)
		if err == nil {
			err = altered.Error()
		}
		if err != nil {
			return fmt.Errorf("store %s users: %w", m, err)
		}
	}
	for _, n := range k.nodes { // each learns it from the metadata log by itself
		if err := k.poll(ctx, n, 20*time.Millisecond, func() error { return k.knowsUsers(ctx, n) }); err != nil {
			return fmt.Errorf("wait for SCRAM users on node %d: %w", n.id, err)
		}
	}
	return nil
}

func (k *Kafka) knowsUsers(ctx context.Context, n *node) error {
	cl, err := k.client(local(n.ports[plaintext]))
	if err != nil {
		return err
	}
	defer cl.Close()
	described, err := kadm.NewClient(cl).DescribeUserSCRAMs(ctx, slices.Collect(maps.Keys(k.cfg.Security.Users))...)
	if err != nil {
		return err
	}
	for user, d := range described {
		if d.Err != nil || len(d.CredInfos) != len(scramMechanisms) {
			return fmt.Errorf("user %s has %d credentials: %w", user, len(d.CredInfos), d.Err)
		}
	}
	return nil
}
