package cli

import (
	"github.com/spf13/cobra"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/schema"
)

func (a *app) schemaCommand() *cobra.Command {
	cmd := family(&cobra.Command{Use: "schema", Short: "Check contracts before they ship, and look after those in the registry"})
	cmd.AddCommand(a.schemaCheckCommand(), a.schemaPullCommand(), a.schemaListCommand(), a.schemaShowCommand(), a.schemaDiffCommand(),
		a.schemaCompatCommand(), a.schemaRegisterCommand(), a.schemaDeleteCommand(), a.schemaConfigCommand(), a.schemaModeCommand())
	cmd.AddCommand(a.schemaAsyncAPICommand(), a.schemaCatalogCommand(), a.schemaGenCommand())
	return cmd
}

// languageOf is the language of a type, nil where leat has none.
func languageOf(typ schema.Type) schema.Language {
	for _, l := range devstack.Languages() {
		if l.Type() == typ {
			return l
		}
	}
	return nil
}

// registryClient is the client of the registry that the settings name; at, where it is not "", is the
// address in place of theirs.
func (a *app) registryClient(at string) (*schema.Client, error) {
	host, err := a.load()
	if err != nil {
		return nil, err
	}
	if at != "" {
		host.Registry.URLs = []string{at}
	}
	client, err := host.Registry.Open()
	if err != nil {
		return nil, &usageError{err}
	}
	if client == nil {
		return nil, usagef("no registry is named: set its URL (--registry, LEAT_REGISTRY_URL)")
	}
	return client, nil
}
