package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TLSConfig says whom to trust and how to show who we are. TLS is 1.2 or newer.
type TLSConfig struct {
	// Enabled turns TLS on; it is on also where any other field is set.
	Enabled bool
	// CA is a PEM file, or PEM text, of the authorities to trust; "": the system's.
	CA string
	// Cert is a PEM file, or PEM text, of the client's certificate and its chain; "": none.
	Cert string
	// Key is a PEM file, or PEM text, of the certificate's key, PKCS#8, PKCS#1 or SEC 1, without a
	// password; "": it is in Cert. All files, CA's too, are read again at each connection, so that
	// what was renewed is used without a restart.
	Key Secret
	// ServerName is the name the brokers' certificates must carry; "": the address that is dialled.
	ServerName string
	// SkipHostname checks the chain but not the name; a broker's certificate then speaks for any.
	SkipHostname bool
	// SkipVerify checks nothing: anybody on the way can read and change all.
	SkipVerify bool
	// MinVersion is tls.VersionTLS12 (also for 0) or tls.VersionTLS13.
	MinVersion uint16
}

func (t TLSConfig) set() bool {
	return t.Enabled || t.CA != "" || t.Cert != "" || t.Key != "" || t.ServerName != "" || t.SkipHostname || t.SkipVerify
}

// Config reads the files and makes Go's configuration. Where ServerName is empty, whoever dials sets
// it per connection.
func (t TLSConfig) Config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: max(t.MinVersion, tls.VersionTLS12), ServerName: t.ServerName}
	if t.CA != "" {
		var err error
		if conf.RootCAs, err = pool(t.CA); err != nil {
			return nil, err
		}
	}
	if t.Cert == "" && t.Key != "" {
		return nil, errors.New("a client key without its certificate: set ssl.certificate.location, or ssl.keystore.certificate.chain")
	}
	if t.Cert != "" {
		if _, err := t.certificate(); err != nil {
			return nil, err
		}
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.certificate() }
	}
	switch {
	case t.SkipVerify:
		conf.InsecureSkipVerify = true
	case t.SkipHostname:
		conf.InsecureSkipVerify = true
		conf.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, conf.RootCAs) }
	}
	return conf, nil
}

// pool is the authorities in a PEM file, or PEM text.
func pool(textOrFile string) (*x509.CertPool, error) {
	pem, err := pemOf(textOrFile)
	if err != nil {
		return nil, fmt.Errorf("read the authorities to trust: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the authorities to trust: no certificate in %s: %s", nameOf(textOrFile), toTrusted)
	}
	return roots, nil
}

// certificate reads the client's pair anew.
func (t TLSConfig) certificate() (*tls.Certificate, error) {
	key, err := t.Key.Reveal()
	if err != nil {
		return nil, fmt.Errorf("read the client's key: %w", err)
	}
	if key == "" {
		key = t.Cert
	}
	certPEM, err := pemOf(t.Cert)
	if err != nil {
		return nil, fmt.Errorf("read the client's certificate: %w", err)
	}
	keyPEM, err := pemOf(key)
	if err != nil {
		return nil, fmt.Errorf("read the client's key: %w", err)
	}
	if !isPEM(string(certPEM)) {
		return nil, fmt.Errorf("read the client's certificate: none in %s: %s", nameOf(t.Cert), toIdentity)
	}
	if strings.Contains(string(keyPEM), "ENCRYPTED") {
		return nil, errors.New("read the client's key: it is encrypted; write it without a password (openssl pkey) and guard the file")
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the client's certificate and key: %w", err)
	}
	return &pair, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// pemOf is PEM text, or the content of the file it names.
func pemOf(textOrFile string) ([]byte, error) {
	if isPEM(textOrFile) {
		return []byte(textOrFile), nil
	}
	return os.ReadFile(textOrFile)
}

func isPEM(s string) bool { return strings.Contains(s, "-----BEGIN ") }

// nameOf is the file's name, and never PEM text itself.
func nameOf(textOrFile string) string {
	if isPEM(textOrFile) {
		return "the PEM text"
	}
	return textOrFile
}
