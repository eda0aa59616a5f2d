//go:build unix

package sqldb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

func TestCertificatesAndPasswordsAreChecked(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "postgres")
	s, err := server.StartPostgres(t.Context(), server.PostgresConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s.CloseAfter(t)
	ca := secure(t, &sql.Database{URL: s.URL("")})
	other := writePEM(t, filepath.Join(t.TempDir(), "other.pem"), "CERTIFICATE", certificate(t, key(t)))

	good := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {ca}}
	at := func(password string, q url.Values) string {
		u, err := url.Parse(s.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.RawQuery = url.UserPassword("teller", password), q.Encode()
		return u.String()
	}
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: at("right", good)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		var encrypted bool
		err := tx.QueryRow(ctx, `select ssl from pg_stat_ssl where pid = pg_backend_pid()`).Scan(&encrypted)
		if err == nil && !encrypted {
			t.Error("the connection is not encrypted")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	tests := map[string]struct {
		url  string
		want []string
	}{
		"password":          {at("wrong", good), []string{"teller", "check user and password"}},
		"foreign authority": {at("right", url.Values{"sslmode": {"verify-full"}, "sslrootcert": {other}}), []string{"x509", "sslrootcert"}},
		"other host's name": {strings.Replace(at("right", good), "127.0.0.1", "localhost", 1), []string{"localhost", "the name it was made for"}},
	}
	for name, test := range tests {
		_, err := sqldb.Open(t.Context(), sqldb.Config{URL: test.url})
		t.Log(name, err)
		wants(t, err, test.want...)
		if err != nil && strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: the password is in %q", name, err)
		}
	}
}

// secure gives the server a certificate and a user with a password, and returns the authority's file.
func secure(t *testing.T, super *sql.Database) (ca string) {
	t.Helper()
	var data, hba string
	std := super.Open(t)
	err := std.QueryRowContext(t.Context(), `select current_setting('data_directory'), current_setting('hba_file')`).Scan(&data, &hba)
	if err != nil {
		t.Fatal(err)
	}
	secret := key(t)
	cert := certificate(t, secret)
	writePEM(t, filepath.Join(data, "leat.crt"), "CERTIFICATE", cert)
	der, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := writePEM(t, filepath.Join(data, "leat.key"), "EC PRIVATE KEY", der)
	owner, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{keyFile, filepath.Join(data, "leat.crt")} {
		id := owner.Sys().(*syscall.Stat_t)
		if err := os.Chown(file, int(id.Uid), int(id.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	rules = append([]byte("hostssl all teller 127.0.0.1/32 scram-sha-256\nhostssl all teller ::1/128 scram-sha-256\n"), rules...)
	if err := os.WriteFile(hba, rules, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`create user teller password 'right'`, `alter system set ssl_cert_file = 'leat.crt'`,
		`alter system set ssl_key_file = 'leat.key'`, `alter system set ssl = on`, `select pg_reload_conf()`,
	} {
		if _, err := std.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	leattest.Eventually(t, "the server speaks TLS", func() error {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: strings.Replace(super.URL, "sslmode=disable", "sslmode=require", 1)})
		if err == nil {
			db.Close()
		}
		return err
	})
	return filepath.Join(data, "leat.crt")
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certificate is its own authority, for 127.0.0.1 and nothing else.
func certificate(t *testing.T, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postgres"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(t *testing.T, file, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
