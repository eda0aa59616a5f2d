package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/registry"
	"github.com/leatdev/leat/sqldb"
)

// defaultStore is where a registry keeps its schemas unless it is told.
const defaultStore = "sqlite:schemas.db"

func (a *app) registryCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "registry", Short: "Run a schema registry that takes the place of Confluent's, and look after its log"})
	cmd.AddCommand(a.registryServeCommand(), a.registryExportCommand(), a.registryImportCommand(), a.registryFsckCommand(), a.registryUserCommand())
	return cmd
}

// serving is what `leat registry serve` is told.
type serving struct {
	cfg                                  registry.Config
	at                                   logPlace
	level                                string
	advertise                            string
	cert, key, clientCAs, peerCAs, users string
}

func (a *app) registryServeCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve [--listen ADDR] [--store memory|sqlite:FILE|kafka]",
		Short: "Run a schema registry until SIGTERM",
		Long: `serve runs a schema registry that speaks the HTTP API of Confluent's, for the clients of all languages.
Its metrics are at /metrics.

With --store kafka the schemas are in a topic of Kafka, made where it is missing, which Confluent's,
Karapace's and Redpanda's registries may have written. Several registries may share it: they choose one
that writes, and the others send it what they are asked to change, so each has to be reached at the URL
that it advertises.

On loopback everyone may do everything. On another address it wants TLS, and users with their rights
(see "leat registry user") or certificates of clients, unless --insecure says that this is not meant.`,
		Example: "  leat registry serve\n  leat registry serve --store kafka --kafka broker:9092 --listen 10.0.0.7:8081 --tls-cert server.pem --tls-key server.key --users users.txt\n  leat registry serve --listen :8081 --tls-cert server.pem --tls-key server.key --users users.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(); err != nil {
				return &usageError{err}
			}
			s.cfg.Version, s.cfg.Languages = a.version().Version, devstack.Languages()
			s.cfg.Metrics = telemetry.NewRegistry().For("registry")
			level := slog.LevelInfo
			if a.verbose {
				level = slog.LevelDebug
			}
			s.cfg.Logger = slog.New(slog.NewTextHandler(a.cfg.Stderr, &slog.HandlerOptions{Level: level}))
			if s.at.store == "kafka" {
				if s.at.url = s.advertise; s.at.url == "" {
					var err error
					if s.at.url, err = registry.AdvertisedURL(s.cfg.Listen, s.cfg.TLS != nil, os.Hostname); err != nil {
						return &usageError{err}
					}
				}
				s.at.logger = s.cfg.Logger
			}
			return a.withRegistryLog(cmd.Context(), s.at, true, func(ctx context.Context, log registry.Log) error {
				s.cfg.Log = log
				srv, err := registry.New(s.cfg)
				if err != nil {
					return &usageError{err}
				}
				return srv.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.cfg.Listen, "listen", registry.DefaultListen, "`address` to listen on, host:port")
	s.at.flags(f, "where the schemas are: `sqlite:FILE`, kafka, or memory: they go with the process")
	f.StringVar(&s.advertise, "advertise", "", "`URL` at which the other registries of the topic reach this one; none: that of --listen, with this machine's name for all addresses")
	f.StringVar(&s.level, "level", string(schema.Backward), "compatibility `level` where none is set")
	f.StringVar(&s.cert, "tls-cert", "", "PEM `file` of the certificate; none: plain HTTP")
	f.StringVar(&s.key, "tls-key", "", "PEM `file` of the certificate's key")
	f.StringVar(&s.clientCAs, "client-ca", "", "PEM `file` of the authorities of clients' certificates; users are known by their common names")
	f.StringVar(&s.peerCAs, "peer-ca", "", "PEM `file` of the authorities of the other registries' certificates; none: the system's")
	f.StringVar(&s.users, "users", "", "`file` of users and their rights; none: everyone may do everything")
	f.BoolVar(&s.cfg.Insecure, "insecure", false, "listen beyond loopback without TLS or without users")
	return cmd
}

// complete reads the files that the flags name.
func (s *serving) complete() (err error) {
	if s.cfg.Level, err = schema.ParseLevel(s.level); err != nil {
		return err
	}
	if s.cert != "" || s.key != "" || s.clientCAs != "" || s.peerCAs != "" {
		if s.cfg.TLS, err = registry.ReadTLS(s.cert, s.key, s.clientCAs, s.peerCAs); err != nil {
			return err
		}
	}
	if s.users != "" {
		f, err := os.Open(s.users)
		if err != nil {
			return fmt.Errorf("read users: %w", err)
		}
		defer f.Close()
		if s.cfg.Users, err = registry.ReadUsers(f); err != nil {
			return err
		}
	}
	if s.clientCAs != "" && s.users == "" {
		return errors.New("--client-ca without --users: nobody would have a right")
	}
	return nil
}

// logPlace says where a registry's log is.
type logPlace struct {
	store, brokers, topic, group string
	url                          string // of the registry that is to be a member of the group; "": a tool
	logger                       *slog.Logger
}

func (p *logPlace) flags(f *pflag.FlagSet, store string) {
	f.StringVar(&p.store, "store", defaultStore, store)
	f.StringVar(&p.brokers, "kafka", "", "with --store kafka: `brokers`, host:port with commas; none: those of --brokers")
	f.StringVar(&p.topic, "topic", registry.DefaultTopic, "with --store kafka: `topic` of the records")
	f.StringVar(&p.group, "group", registry.DefaultGroup, "with --store kafka: `group` in which the registries choose who writes")
}

// withRegistryLog opens the log of a store; unless it is to be made, it has to be there.
func (a *app) withRegistryLog(ctx context.Context, at logPlace, create bool, do func(context.Context, registry.Log) error) error {
	switch file, lite := strings.CutPrefix(at.store, "sqlite:"); {
	case at.store == "memory" && create:
		return do(ctx, registry.NewMemory())
	case at.store == "kafka":
		return a.withKafkaLog(ctx, at, create, do)
	case !lite || file == "":
		return usagef("--store %q: want sqlite:FILE, kafka%s", at.store, map[bool]string{true: " or memory"}[create])
	default:
		return a.withFileLog(ctx, at.store, file, create, do)
	}
}

func (a *app) withFileLog(ctx context.Context, store, file string, create bool, do func(context.Context, registry.Log) error) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && !create {
		return fmt.Errorf("there is no %s: check --store", file)
	}
	db, err := sqldb.Open(ctx, sqldb.Config{URL: store, MaxConns: 1, Logger: a.logger()})
	if err != nil {
		return fmt.Errorf("open the registry's store: %w", err)
	}
	defer db.Close()
	log, err := registry.OpenSQLite(ctx, db)
	if err != nil {
		return err
	}
	return do(ctx, log)
}

func (a *app) withKafkaLog(ctx context.Context, at logPlace, create bool, do func(context.Context, registry.Log) error) error {
	host, err := a.load()
	if err != nil {
		return err
	}
	if at.logger == nil {
		at.logger = a.logger()
	}
	cluster := host.Kafka
	if cluster.Logger = at.logger; at.brokers != "" {
		cluster.Brokers = strings.Split(at.brokers, ",")
	}
	log, err := registry.OpenKafka(ctx, registry.KafkaConfig{
		Connect: cluster, Topic: at.topic, Group: at.group, URL: at.url, Existing: !create, Logger: at.logger,
	})
	if err != nil {
		return err
	}
	defer log.Close()
	return do(ctx, log)
}

func storeFlags(cmd *cobra.Command, at *logPlace) {
	at.flags(cmd.Flags(), "where the schemas are: `sqlite:FILE`, or kafka")
}

func (a *app) registryExportCommand() *cobra.Command {
	var at logPlace
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write all records of a registry's log to stdout, a line of JSON each",
		Long:    `export writes the log as it is, record by record; what it writes is what import reads.`,
		Example: "  leat registry export --store sqlite:schemas.db > schemas.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRegistryLog(cmd.Context(), at, false, func(ctx context.Context, log registry.Log) error {
				n, err := registry.Export(ctx, log, a.cfg.Stdout)
				if err == nil {
					a.say("exported %d records", n)
				}
				return err
			})
		},
	}
	storeFlags(cmd, &at)
	return cmd
}

func (a *app) registryImportCommand() *cobra.Command {
	var at logPlace
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Fill an empty registry's log with the records that stdin brings",
		Long:    `import reads what export wrote. The log has to be empty: ids of two registries would meet otherwise.`,
		Example: "  leat registry import --store sqlite:schemas.db < schemas.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRegistryLog(cmd.Context(), at, true, func(ctx context.Context, log registry.Log) error {
				n, err := registry.ImportFrom(ctx, log, a.cfg.Stdin)
				if err == nil {
					a.say("imported %d records", n)
				}
				return err
			})
		},
	}
	storeFlags(cmd, &at)
	return cmd
}

func (a *app) registryFsckCommand() *cobra.Command {
	var at logPlace
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Look for what does not fit together in a registry's log",
		Long: `fsck replays the log and tells of records that can't be used (POISON), texts that are no schemas (PARSE),
identities that do not fit their texts (MD5), references that lead nowhere (REFERENCE), schemas with two
ids (TWO_IDS), and keys that stand in the log in several spellings (SPELLING). It changes nothing, and
leaves with 3 where it found something.`,
		Example: "  leat registry fsck --store sqlite:schemas.db",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRegistryLog(cmd.Context(), at, false, func(ctx context.Context, log registry.Log) error {
				entries, err := registry.ReadAll(ctx, log)
				if err != nil {
					return fmt.Errorf("read the registry's log: %w", err)
				}
				findings := registry.Check(entries, devstack.Languages())
				if err := show(a, findings, []string{"KIND", "SUBJECT", "VERSION", "WHAT"}, func(f registry.Finding) []string {
					return []string{f.Kind, f.Subject, fmt.Sprint(f.Version), f.What}
				}); err != nil {
					return err
				}
				if len(findings) > 0 {
					return foundf("%d findings in %d records", len(findings), len(entries))
				}
				a.say("%d records, and nothing to say of them", len(entries))
				return nil
			})
		},
	}
	storeFlags(cmd, &at)
	return cmd
}

func (a *app) registryUserCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "user NAME RIGHT=PATTERN...",
		Short: "Make a line for the file of users, with the hash of the password that stdin brings",
		Long: `user prints a line for the file that serve --users reads. Rights are read, write (register, delete softly)
and admin (delete for good, settings, modes), each on the subjects that a pattern matches; a star stands
for any characters. Of a user who is known by a certificate only, write - in place of the hash.`,
		Example: "  leat registry user ann 'write=orders-*' 'read=*' < password.txt >> users.txt",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := io.ReadAll(io.LimitReader(a.cfg.Stdin, 2048))
			if err != nil {
				return fmt.Errorf("read the password: %w", err)
			}
			password := strings.TrimRight(string(text), "\r\n")
			if password == "" || len(password) > 1024 {
				return usagef("stdin brings no password of 1 to 1024 bytes")
			}
			line := args[0] + " " + registry.HashPassword(password) + " " + strings.Join(args[1:], " ")
			if _, err := registry.ReadUsers(strings.NewReader(line)); err != nil {
				return &usageError{err}
			}
			_, err = fmt.Fprintln(a.cfg.Stdout, line)
			return err
		},
	}
}
