package server

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Audience is whom tokens are for: the brokers refuse others.
const Audience = "kafka"

// issuer signs tokens that the brokers take, which find its key in a file.
type issuer struct {
	key  *rsa.PrivateKey
	jwks string // file
}

func newIssuer(dir string) (*issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the key of tokens: %w", err)
	}
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "leat",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}})
	if err != nil {
		return nil, fmt.Errorf("encode the key of tokens: %w", err)
	}
	i := &issuer{key, filepath.Join(dir, "jwks.json")}
	if err := os.WriteFile(i.jwks, set, 0o644); err != nil {
		return nil, fmt.Errorf("write the key of tokens: %w", err)
	}
	return i, nil
}

func (i *issuer) url() string { return "file://" + i.jwks }

// Token makes a token that says its bearer is user, until ttl from now; without
// KafkaConfig.Security there is nobody to make one.
func (k *Kafka) Token(user, audience string, ttl time.Duration) (string, error) {
	if k.pki == nil {
		return "", fmt.Errorf("make a token for %s: KafkaConfig.Security is nil", user)
	}
	now := time.Now()
	text, err := k.pki.issuer.sign(map[string]any{
		"sub": user, "aud": audience, "iss": "leat-test", "scope": "kafka",
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(ttl).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("make a token for %s: %w", user, err)
	}
	return text, nil
}

// sign is a JWS in its compact form (RFC 7515), by RS256.
func (i *issuer) sign(claims map[string]any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"RS256","kid":"leat","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + enc.EncodeToString(signature), nil
}
