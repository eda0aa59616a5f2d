package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// ReadTLS makes the server's TLS of PEM files: certificate, key, and where clients are to be known by
// their certificates, the authorities of those ("": none); and the authorities of the other registries'
// certificates ("": the system's). A client without a certificate may still come with a password.
func ReadTLS(cert, key, clientCAs, peerCAs string) (*tls.Config, error) {
	if cert == "" || key == "" {
		return nil, errors.New("TLS needs a certificate and its key")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if clientCAs != "" {
		if cfg.ClientCAs, err = authorities(clientCAs); err != nil {
			return nil, fmt.Errorf("read the authorities of clients: %w", err)
		}
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if peerCAs != "" {
		if cfg.RootCAs, err = authorities(peerCAs); err != nil {
			return nil, fmt.Errorf("read the authorities of the other registries: %w", err)
		}
	}
	return cfg, nil
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}
