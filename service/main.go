package service

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/leatdev/leat/internal/telemetry"
)

// Exit codes of Main.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Main runs one service as a process: it reads flags, environment and file (see --help), works until
// SIGTERM or SIGINT and drains; a second signal ends it at once. It does not return.
//
// --print-config prints the settings with their origins, --manifest what the service consumes,
// produces and owns.
func Main(c Config) {
	err := Command(context.Background(), os.Args[1:], os.Stdout, os.Stderr, c)
	code := 0
	switch {
	case errors.Is(err, errUsage):
		code = exitUsage
	case err != nil:
		code = exitFailed
	}
	os.Exit(code)
}

var errUsage = errors.New("wrong usage")

// Command is Main for one or several services, with arguments and outputs given, and it returns. It
// has already told its error on stderr.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer, services ...Config) error {
	settings := NewSettings()
	flags := flag.NewFlagSet(commandName(services), flag.ContinueOnError)
	flags.SetOutput(stderr)
	settings.Flags(flags)
	print := flags.Bool("print-config", false, "print the settings and where each comes from, and end")
	manifest := flags.Bool("manifest", false, "print as JSON what the service consumes, produces and owns, and end")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return errUsage // told by package flag
	}
	err := errUsage
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "%s: %q is not understood; see --help\n", flags.Name(), flags.Arg(0))
		return err
	default:
		err = settings.Load(os.Environ())
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", flags.Name(), err)
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case *print:
		err = settings.Print(stdout)
	case *manifest:
		err = settings.printManifests(stdout, services)
	default:
		return settings.Run(ctx, stderr, services...)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", flags.Name(), err)
	}
	return err
}

func commandName(services []Config) string {
	if len(services) == 1 {
		return services[0].Name
	}
	return "services"
}

// printManifests prints one service's manifest as an object, several as an array: one document.
func (s *Settings) printManifests(w io.Writer, services []Config) error {
	manifests := make([]Manifest, len(services))
	for i, c := range services {
		err := c.Validate()
		if err == nil {
			manifests[i], err = c.Describe(s.get(settingPrefix))
		}
		if err != nil {
			return err
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	var doc any = manifests
	if len(manifests) == 1 {
		doc = manifests[0]
	}
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("print the manifest: %w", err)
	}
	return nil
}

// Run runs the services as the settings say until ctx ends or SIGTERM or SIGINT comes, and drains; a
// second signal ends the process at once. Log lines go to logs as JSON, one each; so does the error
// that Run returns.
func (s *Settings) Run(ctx context.Context, logs io.Writer, services ...Config) error {
	log := slog.New(telemetry.LogHandler(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: s.Level()})))
	err := s.run(ctx, log, services)
	if err != nil {
		log.Error("ended by an error", telemetry.KeyError, err)
	}
	return err
}

func (s *Settings) run(ctx context.Context, log *slog.Logger, services []Config) error {
	cfg, err := s.HostConfig(log, services...)
	if err != nil {
		return err
	}
	if cfg.Hook, err = crashHook(); err != nil {
		return err
	}
	host, err := NewHost(cfg)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, log)
	defer stop()
	return host.Run(ctx)
}

// untilSignal ends ctx at the first SIGTERM or SIGINT and the process at the second.
func untilSignal(ctx context.Context, log *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	go func() { // ends with stop
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case got := <-signals:
				if n == 2 {
					log.Warn("cut off by a second signal", "signal", got.String())
					os.Exit(128 + int(got.(syscall.Signal)))
				}
				cancel(fmt.Errorf("signal %v", got))
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
