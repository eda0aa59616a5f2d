package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

// Config is what a binary puts into its command line.
type Config struct {
	// Version is the binary's version; "": what the Go tool wrote into it.
	Version string
	// Services are what `leat run` starts and what `leat topic` knows; none: no run command.
	Services []service.Config
	// Demo runs the demo; nil: no demo command.
	Demo func(ctx context.Context, d Demo) error

	// Args are the arguments; nil: those of the process.
	Args []string
	// Environ is the environment; nil: that of the process.
	Environ []string
	// Stdin, Stdout and Stderr are the streams; nil: those of the process.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

func (c Config) withDefaults() Config {
	if c.Args == nil {
		c.Args = os.Args[1:]
	}
	if c.Environ == nil {
		c.Environ = os.Environ()
	}
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	return c
}

// Main runs the command line of the process and leaves with its exit status. SIGINT and SIGTERM end
// the command in order, a second one at once.
func Main(cfg Config) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal has its usual effect
	os.Exit(Run(ctx, cfg))
}

// Run runs one command line and returns its exit status.
func Run(ctx context.Context, cfg Config) int {
	a := newApp(cfg.withDefaults())
	root := a.root()
	root.SetArgs(a.cfg.Args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.ran {
		err = &usageError{err} // cobra's own: unknown command or flag, wrong arguments
	}
	return a.end(err)
}

// app is one run of a command line.
type app struct {
	cfg      Config
	settings *service.Settings
	flags    map[string]*flag.Flag // of settings
	output   string                // -o, once a command runs
	verbose  bool
	ran      bool // a command's own code has begun
	said     map[string]bool
	registry bool          // one is set
	codec    *schema.Codec // of records that name a schema; nil: not asked for yet
}

func newApp(cfg Config) *app {
	a := &app{cfg: cfg, settings: service.NewSettings(), flags: map[string]*flag.Flag{}}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	a.settings.Flags(fs)
	fs.VisitAll(func(f *flag.Flag) { a.flags[f.Name] = f })
	return a
}

// root is the tree of commands.
func (a *app) root() *cobra.Command {
	root := family(&cobra.Command{
		Use:   "leat",
		Short: "Event-driven services on Apache Kafka: run them, watch them, mend them",
		Long: `leat runs event-driven services on Apache Kafka, and looks after them.

Start with "leat demo", or with "leat dev" and a service of your own.

Exit status: 0 done, 1 failed, 2 wrong command line or setting, 3 a check found something.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.SetIn(a.cfg.Stdin)
	root.SetOut(a.cfg.Stdout)
	root.SetErr(a.cfg.Stderr)
	root.CompletionOptions.HiddenDefaultCmd = false
	p := root.PersistentFlags()
	p.AddFlag(a.settingFlag("kafka-brokers", "brokers", "b"))
	p.AddFlag(a.settingFlag("X", "X", "X"))
	p.AddFlag(a.settingFlag("config", "config", ""))
	p.AddFlag(a.settingFlag("registry-url", "registry", ""))
	p.StringP("output", "o", "table", "form of the data: table, json or jsonl")
	p.BoolVarP(&a.verbose, "verbose", "v", false, "tell on stderr what happens underneath")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.before(cmd) }

	root.AddCommand(a.devCommand(), a.sendCommand(), a.tailCommand(), a.topicCommand(), a.groupCommand(),
		a.dlqCommand(), a.outboxCommand(), a.transactionCommand(), a.registryCommand(), a.schemaCommand(), a.aclCommand(), a.doctorCommand(), a.versionCommand())
	if len(a.cfg.Services) > 0 {
		root.AddCommand(a.runCommand())
	}
	if a.cfg.Demo != nil {
		root.AddCommand(a.demoCommand())
	}
	return root
}

// family makes a command that only holds others: alone it shows its help, and a name that it does not
// have is wrong usage.
func family(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		near := ""
		if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
			near = "; did you mean " + strings.Join(names, " or ") + "?"
		}
		return usagef("%s has no command %q%s", cmd.CommandPath(), args[0], near)
	}
	return cmd
}

// settingFlag shows one of the settings as a flag of the command line.
func (a *app) settingFlag(setting, name, shorthand string) *pflag.Flag {
	f := pflag.PFlagFromGoFlag(a.flags[setting])
	f.Name, f.Shorthand = name, shorthand
	return f
}

// before checks what all commands share.
func (a *app) before(cmd *cobra.Command) error {
	if cmd.Name() == "help" || cmd.Parent() != nil && cmd.Parent().Name() == "completion" || strings.HasPrefix(cmd.Name(), "__") {
		return nil
	}
	allowed := outputs(cmd)
	a.output = cmd.Flag("output").Value.String() // a command can have its own
	if slices.Contains(allowed, a.output) {
		a.ran = true
		return nil
	}
	return fmt.Errorf("-o %s: want %s", a.output, strings.Join(allowed, ", "))
}

// load reads environment and file; what is wrong there is the user's to mend.
func (a *app) load() (service.HostConfig, error) {
	if err := a.settings.Load(a.cfg.Environ); err != nil {
		return service.HostConfig{}, &usageError{err}
	}
	host, err := a.settings.HostConfig(a.logger())
	if err != nil {
		return host, &usageError{err}
	}
	return host, nil
}

// connect opens the cluster that the settings name, and readies the registry beside it.
func (a *app) connect(ctx context.Context) (*kafka.Client, error) {
	host, err := a.load()
	if err != nil {
		return nil, err
	}
	registry, err := host.Registry.Open()
	if err != nil {
		return nil, &usageError{err}
	}
	a.registry = registry != nil
	if a.codec, err = host.Registry.Codec(registry, ""); err != nil {
		return nil, err
	}
	return kafka.Open(ctx, host.Kafka)
}

// logger is for the commands that look at things: their errors are told in the end, so the clients
// underneath speak only when asked to.
func (a *app) logger() *slog.Logger {
	level := slog.LevelError + 4
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.cfg.Stderr, &slog.HandlerOptions{Level: level}))
}

// say tells people something that is no data.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.cfg.Stderr, format+"\n", args...)
}

// sayOnce tells people something that would be the same for each record of many.
func (a *app) sayOnce(format string, args ...any) {
	if !a.said[format] {
		a.say(format, args...)
	}
	if a.said == nil {
		a.said = map[string]bool{}
	}
	a.said[format] = true
}

// getenv is a variable of the environment.
func (a *app) getenv(name string) string {
	for _, e := range a.cfg.Environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// end tells the error and chooses the exit status.
func (a *app) end(err error) int {
	var found *foundError
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &found):
		if found.what != "" {
			a.say("leat: %s", found.what)
		}
		return exitFound
	case errors.As(err, &usage):
		a.say("leat: %v", err)
		a.say("See: leat --help")
		return exitUsage
	default:
		a.say("leat: %v", err)
		return exitFailed
	}
}
