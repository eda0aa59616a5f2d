package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/oauth2"
)

// Config says which cluster and how to get in. The zero value is the broker at localhost:9092 with
// neither TLS nor SASL. What Properties says wins over the fields, and over what the code that uses
// the client sets: it is the operator's word.
type Config struct {
	// Brokers are some brokers of the cluster, host or host:port (9092); empty: localhost:9092.
	Brokers []string
	// ClientID is the name in the brokers' logs and quotas; "": leat.
	ClientID string
	// Properties are Kafka client properties by Java's or librdkafka's names. References
	// (${env:NAME}, ${file:PATH}) in values are resolved. Names that are not known, and those that
	// could not have their effect, are refused by Validate.
	Properties map[string]string
	// TLS is used where Enabled, or where security.protocol says so.
	TLS TLSConfig
	// SASL is used where Mechanism or User is set, or where security.protocol says so.
	SASL SASLConfig
	// Logger takes what the client has to say; nil: slog.Default.
	Logger *slog.Logger
	// Dial opens connections; nil: the plain network. TLS is put on top of it.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// SASLConfig says who the client is.
type SASLConfig struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; "" with a User:
	// SCRAM-SHA-512, with OAuth: OAUTHBEARER.
	Mechanism string
	// User is the user's name; references are resolved.
	User string
	// Password is the user's password.
	Password Secret
	// OAuth says where the token of OAUTHBEARER comes from.
	OAuth OAuthConfig
	// PlainWithoutTLS allows PLAIN and OAUTHBEARER over a connection that anybody on the way can
	// read.
	PlainWithoutTLS bool
}

// String shows the configuration without its secrets.
func (c Config) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "brokers=%s client.id=%s tls=%+v sasl=%+v", strings.Join(c.Brokers, ","), c.ClientID, c.TLS, c.SASL)
	for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
		value := c.Properties[name]
		if SecretProperty(name) {
			value = redacted
		}
		fmt.Fprintf(&b, " %s=%s", name, value)
	}
	return b.String()
}

// Format keeps every verb of fmt from showing what Properties hold.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

const (
	defaultBroker   = "localhost:9092"
	defaultClientID = "leat"
	dialTimeout     = 10 * time.Second
	// maxDecompressed is 128 times what a broker takes as a batch by default. A batch of zeros
	// decompresses to a thousand times its size, and whoever may write one could end every reader.
	maxDecompressed = 128 << 20
)

// Validate reports everything that is wrong with the configuration. It resolves references and reads
// certificate files, but opens no connection.
func (c Config) Validate() error {
	_, err := c.resolve()
	return err
}

// NewClient makes a raw client with the configuration's options, for rooms that drive franz-go
// themselves. opts come after the room's defaults; Properties come after opts and win. It opens no
// connection.
func (c Config) NewClient(opts ...kgo.Opt) (*kgo.Client, error) {
	r, err := c.resolve()
	if err != nil {
		return nil, fmt.Errorf("configure the Kafka client: %w", err)
	}
	cl, err := kgo.NewClient(r.options(opts)...)
	if err != nil {
		return nil, fmt.Errorf("make the Kafka client: %w", err)
	}
	return cl, nil
}

// resolved is a Config with its properties applied and its references resolved.
type resolved struct {
	Config
	dialer  dialer
	tokens  oauth2.TokenSource // of OAUTHBEARER by a token endpoint
	opts    []kgo.Opt          // from properties
	backoff struct{ base, max time.Duration }
	codec   struct {
		name   string
		levels []codecLevel
	}
	maxMessage int           // bytes; 0: not set
	maxBuffer  int           // bytes of a producer; 0: not set
	txnTimeout time.Duration // 0: not set
	member     Membership    // of a consumer group
}

func (c Config) resolve() (*resolved, error) {
	r := &resolved{Config: c}
	r.Brokers = slices.Clone(c.Brokers)
	r.dialer = dialer{timeout: dialTimeout, dial: c.Dial}
	var errs []error
	if err := r.applyProperties(); err != nil {
		errs = append(errs, err)
	}
	r.fill()
	for _, b := range r.Brokers {
		if err := validBroker(b); err != nil {
			errs = append(errs, err)
		}
	}
	if r.TLS.Enabled {
		if _, err := r.TLS.Config(); err != nil {
			errs = append(errs, err)
		}
		r.dialer.tls = r.TLS.Config
	}
	if err := r.resolveSASL(); err != nil {
		errs = append(errs, err)
	}
	return r, errors.Join(errs...)
}

func (r *resolved) fill() {
	if len(r.Brokers) == 0 {
		r.Brokers = []string{defaultBroker}
	}
	for i, b := range r.Brokers {
		r.Brokers[i] = strings.TrimSpace(b)
	}
	if r.ClientID == "" {
		r.ClientID = defaultClientID
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	if r.SASL.Mechanism == "" && r.SASL.User != "" {
		r.SASL.Mechanism = "SCRAM-SHA-512"
	}
	if r.SASL.Mechanism == "" && r.SASL.OAuth.set() {
		r.SASL.Mechanism = oauthBearer
	}
	r.SASL.Mechanism = strings.ToUpper(r.SASL.Mechanism)
}

// fetchMaxWait is how long a broker may hold a fetch that has nothing, as Java's clients have it. What is
// assigned meanwhile is fetched after that, so franz-go's 5 s would be the first event's delay.
const fetchMaxWait = 500 * time.Millisecond

// options are the whole list for a client: the room's, then the caller's, then the properties'.
func (r *resolved) options(callers []kgo.Opt) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(r.Brokers...),
		kgo.ClientID(r.ClientID),
		kgo.SoftwareNameAndVersion("leat", "1"),
		kgo.WithLogger(logger{r.Logger}),
		kgo.Dialer(r.dialer.DialContext),
		kgo.DialTimeout(r.dialer.timeout),
		kgo.RecordPartitioner(partitioner()),
		kgo.MaxDecompressBatchBytes(maxDecompressed),
		kgo.FetchMaxWait(fetchMaxWait),
	}
	if m := r.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	opts = append(opts, callers...)
	return append(opts, r.opts...)
}

func validBroker(addr string) error {
	host, port := addr, "9092"
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && !strings.HasSuffix(addr, "]") {
		var err error
		if host, port, err = net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("broker %q: %w; write host:port, several with commas", addr, err)
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("broker %q: port %q is no number from 1 to 65535", addr, port)
	}
	if host == "" || strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("broker %q: write host:port without a scheme, for example localhost:9092", addr)
	}
	return nil
}
