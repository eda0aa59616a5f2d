package cli

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/schema/registry"
)

// devView is what `leat dev` says once it is up.
type devView struct {
	Brokers     string `json:"brokers"`
	RegistryURL string `json:"registry_url,omitempty"`
	DatabaseURL string `json:"database_url"`
	ClusterID   string `json:"cluster_id"`
	Dir         string `json:"dir"`
}

func (a *app) devCommand() *cobra.Command {
	var cfg devstack.Config
	cmd := &cobra.Command{
		Use:   "dev [--data DIR] [--listen ADDR] [--registry ADDR]",
		Short: "Run a Kafka broker and a schema registry for development in this process",
		Long: `dev runs a Kafka broker and a schema registry in this process, and says what to set so that services
find them.

Any Kafka client can connect, and any client of Confluent's schema registry. Topics are made when they are first used. Records and offsets survive
kill -9; nothing expires. Transactions do not survive a kill, a power cut can take the newest
records, and there is no authentication: it is for development, not for production.`,
		Example: "  leat dev\n  leat dev --data ./data --listen 127.0.0.1:19092",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			level := slog.LevelInfo
			if a.verbose {
				level = slog.LevelDebug
			}
			cfg.Logger = slog.New(slog.NewTextHandler(a.cfg.Stderr, &slog.HandlerOptions{Level: level}))
			stack, err := devstack.Open(ctx, cfg)
			if err != nil {
				return err
			}
			if err := a.showDev(stack); err != nil {
				return err
			}
			<-ctx.Done()
			a.say("stopping")
			return stack.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Dir, "data", "", "`directory` that keeps everything; default: a temporary one, removed at the end")
	f.StringVar(&cfg.Listen, "listen", devstack.DefaultListen, "`address` of the broker, host:port")
	f.StringVar(&cfg.Registry, "registry", registry.DefaultListen, "`address` of the schema registry, host:port; empty: none")
	f.StringVar(&cfg.Advertise, "advertise", "", "`address` that clients are told, host:port; default: the one it listens on")
	f.IntVar(&cfg.Partitions, "partitions", 0, "partitions of a topic that is made without saying (default 6)")
	return cmd
}

func (a *app) showDev(s *devstack.Stack) error {
	v := devView{Brokers: s.Brokers()[0], RegistryURL: s.Registry(), DatabaseURL: s.DatabaseURL(), ClusterID: s.ClusterID(), Dir: s.Dir()}
	return showOne(a, v, func(w io.Writer) error {
		a.say("Kafka broker %s is up, data in %s", v.Brokers, v.Dir)
		a.say("Set this where your service runs; end with Ctrl-C:")
		_, err := fmt.Fprintf(w, "export LEAT_KAFKA_BROKERS=%s\nexport LEAT_DATABASE_URL=%s\n", v.Brokers, v.DatabaseURL)
		if v.RegistryURL != "" && err == nil {
			_, err = fmt.Fprintf(w, "export LEAT_REGISTRY_URL=%s\nexport LEAT_REGISTRY_SCHEMAS=register\n", v.RegistryURL)
		}
		return err
	})
}
