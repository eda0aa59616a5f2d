package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
)

func (a *app) schemaListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List the subjects of the registry with their latest versions",
		Example: "  leat schema list shop. --registry http://localhost:8081",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			prefix := ""
			if len(args) > 0 {
				prefix = args[0]
			}
			subjects, err := client.Subjects(cmd.Context(), prefix)
			if err != nil {
				return err
			}
			var all []schema.Registered
			for _, subject := range subjects {
				latest, err := client.Version(cmd.Context(), subject, -1)
				if errors.Is(err, schema.ErrNotFound) {
					continue // deleted meanwhile
				}
				if err != nil {
					return err
				}
				all = append(all, latest)
			}
			return show(a, all, []string{"SUBJECT", "VERSION", "ID", "TYPE"}, func(r schema.Registered) []string {
				return []string{r.Subject, strconv.Itoa(r.Version), strconv.Itoa(int(r.ID)), string(r.Type)}
			})
		},
	}
}

func (a *app) schemaShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show SUBJECT [VERSION]",
		Short:   "Print a schema of the registry, the latest version without a number",
		Example: "  leat schema show orders-value 3 > orders-value.avsc",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := versionArg(args[1:], -1)
			if err != nil {
				return err
			}
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			got, err := client.Version(cmd.Context(), args[0], version)
			if err != nil {
				return err
			}
			return showOne(a, got, func(w io.Writer) error {
				a.say("version %d of %s, id %d, %s", got.Version, plain(got.Subject), got.ID, got.Type)
				_, err := fmt.Fprintln(w, got.Text)
				return err
			})
		},
	}
}

// versionArg reads a version's number, if there is one.
func versionArg(args []string, otherwise int) (int, error) {
	if len(args) == 0 || args[0] == "latest" && otherwise == -1 {
		return otherwise, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return 0, usagef("version %q: want a number from 1", args[0])
	}
	return n, nil
}

// changeView is what a command does, or would do, to a subject.
type changeView struct {
	Subject string `json:"subject"`
	Version int    `json:"version,omitempty"`
	ID      int32  `json:"id,omitempty"`
	Effect  string `json:"effect"`
}

func (a *app) showChanges(all []changeView) error {
	return show(a, all, []string{"SUBJECT", "VERSION", "ID", "EFFECT"}, func(v changeView) []string {
		cells := []string{v.Subject, "", "", v.Effect}
		if v.Version != 0 {
			cells[1] = strconv.Itoa(v.Version)
		}
		if v.ID != 0 {
			cells[2] = strconv.Itoa(int(v.ID))
		}
		return cells
	})
}

func (a *app) schemaRegisterCommand() *cobra.Command {
	var s contractSource
	var normalize, yes bool
	cmd := &cobra.Command{
		Use:   "register [PATH...] [-- SERVICE-BINARY ARGS...]",
		Short: "Register contracts, as a step of a deployment",
		Long: `register makes each contract a version of its subject, unless it is one already. First all are checked as
"leat schema check" does it: where one breaks, none is registered, and it leaves with 3. What a contract
imports is registered before it: a file of the command line or beside one under the file's subject, all
else under its own name. Contracts of plain JSON are passed over.` + contractSourceLong,
		Example: "  leat schema register -- ./order\n  leat schema register schemas/ --yes",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			contracts, err := a.contracts(cmd, s, args)
			if err != nil {
				return err
			}
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			return a.register(cmd.Context(), client, contracts, normalize, yes)
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&normalize, "normalize", false, "let the registry compare schemas by their meaning")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do it; without it only what would be done is shown")
	return cmd
}

func (a *app) register(ctx context.Context, client *schema.Client, contracts []contract, normalize, yes bool) error {
	var changes []changeView
	var todo []schema.Contract
	bad := 0
	for _, c := range contracts {
		change := changeView{Subject: c.subject, Effect: "none: its events are plain JSON"}
		switch {
		case c.plain:
		case c.fault != "":
			change.Effect = "none: " + c.fault
		default:
			own := schema.Contract{Subject: c.subject, Type: c.typ, Text: c.text, Imports: c.imports}
			var err error
			if change, err = foresee(ctx, client, c, own, normalize); err != nil {
				return err
			}
			if change.Effect == effectRefused {
				bad++
			} else if change.Effect == effectRegistered {
				todo = append(todo, own)
			}
		}
		changes = append(changes, change)
	}
	if bad > 0 || !yes {
		if err := a.showChanges(changes); err != nil {
			return err
		}
		if bad > 0 {
			return foundf("%d of %d contracts break or are no schemas, and none was registered; see: leat schema check", bad, len(contracts))
		}
		if len(changes) > 0 {
			a.say("nothing was done; with --yes it is")
		}
		return nil
	}
	for _, own := range todo {
		got, err := own.Register(ctx, client, normalize)
		if err != nil {
			return err
		}
		for i := range changes {
			if changes[i].Subject == own.Subject {
				changes[i].Version, changes[i].ID = got.Version, got.ID
			}
		}
	}
	return a.showChanges(changes)
}

// Effects on a subject.
const (
	effectRegistered = "registered as a new version"
	effectThere      = "none: it is registered"
	effectRefused    = "refused"
)

// foresee says what registering a contract does.
func foresee(ctx context.Context, client *schema.Client, c contract, own schema.Contract, normalize bool) (changeView, error) {
	change := changeView{Subject: c.subject, Effect: effectRegistered}
	v, err := compare(ctx, registryBaseline{client: client}, c, "", false)
	if err != nil {
		return change, err
	}
	if v.Verdict == contractInvalid {
		change.Effect = effectRefused
		return change, nil
	}
	got, err := own.Lookup(ctx, client, normalize)
	switch {
	case err == nil:
		change.Version, change.ID, change.Effect = got.Version, got.ID, effectThere
	case !errors.Is(err, schema.ErrNotFound):
		return change, err
	case v.bad():
		change.Effect = effectRefused
	}
	return change, nil
}

func (a *app) schemaDeleteCommand() *cobra.Command {
	var forGood, yes bool
	cmd := &cobra.Command{
		Use:   "delete SUBJECT [VERSION]",
		Short: "Delete a version of a subject, or all of them",
		Long: `delete takes a version, or all, out of the subject; data that was written by it is still read. With
--for-good, the second step, what was deleted is forgotten: data that was written by it can't be read any
more. The registry refuses to delete what other schemas refer to.`,
		Example: "  leat schema delete orders-value 3 --yes\n  leat schema delete orders-value 3 --for-good --yes",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := versionArg(args[1:], 0)
			if err != nil {
				return err
			}
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			effect := "deleted"
			if forGood {
				effect = "deleted for good: data that was written by it can't be read any more"
			}
			if !yes {
				what := changeView{Subject: args[0], Version: version, Effect: effect}
				if version == 0 {
					what.Effect = "all versions " + effect
				}
				if err := a.showChanges([]changeView{what}); err != nil {
					return err
				}
				a.say("nothing was done; with --yes it is")
				return nil
			}
			gone, err := client.Delete(cmd.Context(), args[0], version, forGood)
			if err != nil {
				return err
			}
			var changes []changeView
			for _, n := range gone {
				changes = append(changes, changeView{Subject: args[0], Version: n, Effect: effect})
			}
			return a.showChanges(changes)
		},
	}
	cmd.Flags().BoolVar(&forGood, "for-good", false, "forget what was deleted before")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do it; without it only what would be done is shown")
	return cmd
}
