package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is a small authority with its files below dir. Kafka reads PEM, so neither
// keytool nor a key store is needed.
type pki struct {
	dir    string
	ca     string // file with the authority's certificate
	broker string // file with the brokers' key, certificate and authority
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	issuer *issuer // of tokens
}

func newPKI(dir string) (*pki, error) {
	p := &pki{dir: filepath.Join(dir, "pki")}
	p.ca, p.broker = filepath.Join(p.dir, "ca.pem"), filepath.Join(p.dir, "broker.pem")
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of certificates: %w", err)
	}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template := certificate("leat test authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	ca := block("CERTIFICATE", der)
	cert, key, err := p.sign("broker")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.ca, ca, 0o644); err != nil {
		return nil, fmt.Errorf("write the authority's certificate: %w", err)
	}
	if err := os.WriteFile(p.broker, append(append(key, cert...), ca...), 0o600); err != nil {
		return nil, fmt.Errorf("write the brokers' key: %w", err)
	}
	p.issuer, err = newIssuer(p.dir)
	return p, err
}

// client writes a user's certificate and key.
func (p *pki) client(user string) (certFile, keyFile string, err error) {
	cert, key, err := p.sign(user)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(p.dir, user+".pem"), filepath.Join(p.dir, user+".key")
	if err := os.WriteFile(certFile, cert, 0o644); err != nil {
		return "", "", fmt.Errorf("write %s's certificate: %w", user, err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return "", "", fmt.Errorf("write %s's key: %w", user, err)
	}
	return certFile, keyFile, nil
}

// sign makes a key and a certificate for it, valid on both sides of a connection
// to 127.0.0.1 and localhost.
func (p *pki) sign(name string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key for %s: %w", name, err)
	}
	template := certificate(name)
	template.IPAddresses, template.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, private.Public(), p.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign a certificate for %s: %w", name, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key of %s: %w", name, err)
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8), nil
}

func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
