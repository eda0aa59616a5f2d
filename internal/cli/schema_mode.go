package cli

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
)

// modeOverride, set for all, holds for every subject, whatever its own mode is.
const modeOverride = "READONLY_OVERRIDE"

var modeNames = []string{"READWRITE", "READONLY", modeOverride, "IMPORT"}

// modeView is the mode of a subject, where it comes from, and what would become of it.
type modeView struct {
	Subject string `json:"subject,omitempty"` // "": all
	Mode    string `json:"mode"`
	From    string `json:"from"`
	Becomes string `json:"becomes,omitempty"`
}

// modeOf asks what holds for a subject, and where from.
func modeOf(ctx context.Context, client *schema.Client, subject string) (modeView, error) {
	var holds struct {
		Mode string `json:"mode"`
	}
	if err := askSetting(ctx, client, "mode", subject, true, &holds); err != nil {
		return modeView{}, err
	}
	v := modeView{Subject: subject, Mode: holds.Mode, From: scopeGlobal}
	if v.Mode == modeOverride {
		return v, nil
	}
	for _, sc := range scopesOf(subject) {
		own := holds
		own.Mode = ""
		if err := askSetting(ctx, client, "mode", sc.subject, false, &own); err != nil && !errors.Is(err, schema.ErrNotFound) {
			return v, err
		}
		if own.Mode == v.Mode {
			v.From = sc.name
			break
		}
	}
	return v, nil
}

// modeChange is what is asked of a mode.
type modeChange struct {
	mode         string // "": nothing
	reset, force bool
}

func (c modeChange) empty() bool { return c.mode == "" && !c.reset }

// args reads the subject and the mode. A single argument that is spelled as a mode is one, of all.
func (c *modeChange) args(args []string) (subject string, err error) {
	if len(args) == 1 && slices.Contains(modeNames, args[0]) {
		args = []string{args[0], args[0]}
	} else if subject, err = subjectArg(args); err != nil {
		return "", err
	}
	if len(args) == 2 {
		if c.mode = strings.ToUpper(args[1]); !slices.Contains(modeNames, c.mode) {
			return "", usagef("mode %q: want one of %s", args[1], strings.Join(modeNames, ", "))
		}
	}
	switch {
	case c.reset && c.mode != "":
		return "", usagef("--reset takes the mode back: leave %s out", c.mode)
	case c.force && c.mode != "IMPORT":
		return "", usagef("--force goes with IMPORT alone")
	}
	return subject, nil
}

func (a *app) schemaModeCommand() *cobra.Command {
	var change modeChange
	var yes bool
	cmd := &cobra.Command{
		Use:   "mode [SUBJECT] [READWRITE|READONLY|READONLY_OVERRIDE|IMPORT]",
		Short: "Show or change whether the registry takes new schemas",
		Long: `mode shows or sets the mode of a subject, or without one that of all. READONLY takes no new schemas;
READONLY_OVERRIDE, set for all, does so for every subject, also for those with a mode of their own. IMPORT
takes schemas with the ids that they had in another registry: the subject must have none, and what was
deleted of it goes for good; --force sets it over schemas that are there.`,
		Example: "  leat schema mode orders-value\n  leat schema mode orders-value READONLY --yes\n  leat schema mode READONLY --yes\n  leat schema mode orders-value --reset --yes",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			subject, err := change.args(args)
			if err != nil {
				return err
			}
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			return a.schemaMode(cmd.Context(), client, subject, change, yes)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&change.force, "force", false, "with IMPORT: also where there are schemas, whose ids may meet those that come")
	f.BoolVar(&change.reset, "reset", false, "take the mode back, so that that of the context or of all holds")
	f.BoolVarP(&yes, "yes", "y", false, "do it; without it only what would be done is shown")
	return cmd
}

func (a *app) schemaMode(ctx context.Context, client *schema.Client, subject string, change modeChange, yes bool) error {
	if yes && !change.empty() {
		op, path := "the mode of "+ofSubject(subject), settingPath("mode", subject)
		var err error
		if change.reset {
			err = client.Do(ctx, "reset "+op, http.MethodDelete, path, nil, nil, nil)
		} else {
			var query url.Values
			if change.force {
				query = url.Values{"force": {"true"}}
			}
			err = client.Do(ctx, "set "+op, http.MethodPut, path, query, map[string]string{"mode": change.mode}, nil)
		}
		if err != nil {
			return err
		}
	}
	v, err := modeOf(ctx, client, subject)
	if err != nil {
		return err
	}
	head := []string{"SUBJECT", "MODE", "FROM"}
	row := func(v modeView) []string { return []string{ofSubject(v.Subject), v.Mode, v.From} }
	if yes || change.empty() {
		return show(a, []modeView{v}, head, row)
	}
	if v.Becomes = change.mode; change.reset {
		v.Becomes = notSet
	}
	if err := show(a, []modeView{v}, append(head, "BECOMES"), func(v modeView) []string { return append(row(v), v.Becomes) }); err != nil {
		return err
	}
	a.say("nothing was done; with --yes it is")
	return nil
}
