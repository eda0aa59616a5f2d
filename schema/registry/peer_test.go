package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ca signs certificates for a test.
type ca struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *ca {
	t.Helper()
	c := &ca{dir: t.TempDir()}
	c.cert, c.key = c.sign(t, "ca")
	return c
}

func (c *ca) file(name string) string { return filepath.Join(c.dir, name) }

// sign writes NAME.pem and NAME.key; the first is the authority's own.
func (c *ca) sign(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	want := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: c.cert == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, by := want, key
	if c.cert != nil {
		parent, by = c.cert, c.key
	}
	der, err := x509.CreateCertificate(rand.Reader, want, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(c.file(name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// client is a caller with the certificate of that name; "": without one.
func (c *ca) client(t *testing.T, name string) *http.Client {
	t.Helper()
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AddCert(c.cert)
	if name != "" {
		c.sign(t, name)
		pair, err := tls.LoadX509KeyPair(c.file(name+".pem"), c.file(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	cl := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
	t.Cleanup(cl.CloseIdleConnections)
	return cl
}

// followed is a log that another registry leads.
type followed struct {
	Log
	leader string
}

func (l followed) Leader() (string, bool) { return l.leader, false }

// TestFollowersForwardInTheNameOfWhoAsked has two registries with TLS, and users that are known by their
// certificates.
func TestFollowersForwardInTheNameOfWhoAsked(t *testing.T) {
	t.Parallel()
	c := newCA(t)
	users, err := ReadUsers(strings.NewReader("ann - write=orders-*\nroot - admin=*\nregistry-1 - admin=*\nregistry-2 - admin=*\nsly - write=sly-* read=*\n"))
	if err != nil {
		t.Fatal(err)
	}
	serve := func(name string, log Log) *Server {
		c.sign(t, name)
		own, err := ReadTLS(c.file(name+".pem"), c.file(name+".key"), c.file("ca.pem"), c.file("ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return start(t, Config{Log: log, TLS: own, Users: users})
	}
	log := NewMemory()
	leader := serve("registry-1", log)
	follower := serve("registry-2", followed{log, leader.URL()})
	ann, root, sly, nobody := c.client(t, "ann"), c.client(t, "root"), c.client(t, "sly"), c.client(t, "")
	for i, one := range []struct {
		who          *http.Client
		to           *Server
		method, path string
		header       map[string]string
		want         int
	}{
		{nobody, leader, "GET", "/subjects", nil, 401},
		{ann, leader, "POST", "/subjects/orders-a/versions", nil, 200},
		{ann, follower, "POST", "/subjects/orders-b/versions", nil, 200},
		{ann, follower, "POST", "/subjects/closed/versions", nil, 403},
		{ann, follower, "DELETE", "/subjects/orders-b", nil, 200},
		{ann, follower, "DELETE", "/subjects/orders-b?permanent=true", nil, 403},
		{root, follower, "DELETE", "/subjects/orders-b?permanent=true", nil, 200},
		// Who may not do everything is nobody else, whatever he says.
		{sly, leader, "POST", "/subjects/closed/versions", map[string]string{"X-Forward": "true", headerFor: "root"}, 403},
		// Who is not known to the leader has no rights there.
		{root, leader, "POST", "/subjects/closed/versions", map[string]string{"X-Forward": "true", headerFor: "gone"}, 401},
	} {
		r, err := http.NewRequest(one.method, one.to.URL()+one.path, strings.NewReader(`{"schema":"{\"f`+strconv.Itoa(i)+`\":true}"}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range one.header {
			r.Header.Set(name, value)
		}
		answer, err := one.who.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != one.want {
			t.Errorf("%d: %s %s: %d %s, want %d: %v", i, one.method, one.path, answer.StatusCode, text, one.want, err)
		}
	}
}
