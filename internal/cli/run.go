package cli

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatdev/leat/service"
)

func (a *app) runCommand() *cobra.Command {
	var printConfig, manifest bool
	cmd := &cobra.Command{
		Use:   "run SERVICE...",
		Short: "Run one or several services of this binary in this process",
		Long: fmt.Sprintf(`run starts services of this binary, with one HTTP listener for all of them, until SIGTERM.

Services: %s. Settings come from flags, from LEAT_... variables and from a file (--config), in this
order; --print-config shows each value with its origin.`, strings.Join(a.serviceNames(), ", ")),
		Example:           "  leat run " + a.cfg.Services[0].Name + " --kafka-brokers localhost:9092 --database-url sqlite:data",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			services, err := a.chosen(args)
			if err != nil {
				return err
			}
			if manifest {
				return writeManifests(a.cfg.Stdout, services, a.flags["prefix"].Value.String())
			}
			if err := a.settings.Load(a.cfg.Environ); err != nil {
				return &usageError{err}
			}
			if printConfig {
				return a.settings.Print(a.cfg.Stdout)
			}
			return a.settings.Run(cmd.Context(), a.cfg.Stderr, services...)
		},
	}
	f := cmd.Flags()
	for _, name := range settingNames(a.flags) {
		if name != "X" && name != "config" { // these are on every command
			f.AddFlag(pflag.PFlagFromGoFlag(a.flags[name]))
		}
	}
	f.BoolVar(&printConfig, "print-config", false, "print the settings and where each comes from, and end")
	f.BoolVar(&manifest, "manifest", false, "print as JSON what the services consume, produce and own, and end")
	return cmd
}

func settingNames(flags map[string]*flag.Flag) []string {
	var names []string
	for name := range flags {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (a *app) serviceNames() []string {
	var names []string
	for _, s := range a.cfg.Services {
		names = append(names, s.Name)
	}
	return names
}

// chosen are the services of those names, all of them where there are none.
func (a *app) chosen(names []string) ([]service.Config, error) {
	if len(names) == 0 {
		return a.cfg.Services, nil
	}
	var services []service.Config
	for _, name := range names {
		i := slices.IndexFunc(a.cfg.Services, func(s service.Config) bool { return s.Name == name })
		if i < 0 {
			return nil, usagef("there is no service %q in this binary: it has %s", name, strings.Join(a.serviceNames(), ", "))
		}
		services = append(services, a.cfg.Services[i])
	}
	return services, nil
}

func (a *app) completeServices(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	left := slices.DeleteFunc(a.serviceNames(), func(name string) bool { return slices.Contains(args, name) })
	return left, cobra.ShellCompDirectiveNoFileComp
}

// writeManifests prints one service's manifest as an object, several as an array.
func writeManifests(w io.Writer, services []service.Config, prefix string) error {
	manifests := make([]service.Manifest, len(services))
	for i, s := range services {
		var err error
		if manifests[i], err = s.Describe(prefix); err != nil {
			return err
		}
	}
	if len(manifests) == 1 {
		return writeJSON(w, manifests[0])
	}
	return writeJSON(w, manifests)
}
