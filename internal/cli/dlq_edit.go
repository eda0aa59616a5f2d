package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/consumer/redrive"
)

// editView is a letter's payload before and after.
type editView struct {
	Source string `json:"source"`
	Letter string `json:"letter"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

func (a *app) dlqEditCommand() *cobra.Command {
	var (
		f     letterChoice
		patch string
	)
	cmd := &cobra.Command{
		Use:   "edit SOURCE --group GROUP --patch PATCH",
		Short: "Give one dead letter back with another payload",
		Long: `edit patches the payload of a dead letter and gives the event back as redrive does; a held key (HoldKey) goes
back whole with it. The letter stays as it is; the note beside it has the digest of the new payload, and
the event that goes back has a header that names the letter (leat-edited).

The patch is JSON, or a file with it: an array is a JSON Patch (RFC 6902), an object a JSON Merge Patch
(RFC 7396). A payload by a schema is patched as the JSON that "leat dlq show" prints, and encoded by the
same schema again; what does not fit the schema is refused. The payload has to lie in the letter itself.`,
		Example: `  leat dlq edit shop.orders/2@17 --group payment --patch '{"currency":"EUR"}'
  leat dlq edit shop.orders/2@17 --group payment --patch '[{"op":"remove","path":"/coupon"}]' --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.source = args[0]
			return a.editLetter(cmd, f, patch)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.group, "group", "g", "", "the `group` whose letter is meant; required")
	fl.StringVar(&patch, "patch", "", "the `patch`: JSON, or the name of a file with it; required")
	f.redriveFlags(cmd)
	fl.BoolVarP(&f.yes, "yes", "y", false, "do it; without it only what would be done is shown")
	fl.StringVar(&f.why, "why", "", "`text` that is kept with the letter")
	return cmd
}

func (a *app) editLetter(cmd *cobra.Command, f letterChoice, patch string) error {
	filter, err := f.filter(cmd, a, "")
	if err != nil {
		return err
	}
	text, err := readPatch(patch)
	if err != nil {
		return usagef("--patch: %w", err)
	}
	client, err := a.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer client.Close()
	guard, err := f.guard(cmd.Context(), client, redrive.Redriven)
	if err != nil {
		return err
	}
	topic := filter.Source.Topic
	story, err := redrive.Read(cmd.Context(), client, f.group, topic)
	if err != nil {
		return err
	}
	plan := story.Plan(redrive.Redriven, filter, guard)
	if len(plan.Refused) > 0 {
		return fmt.Errorf("edit %s: %s", f.source, plan.Refused[0].Why)
	}
	if len(plan.Letters) == 0 {
		return fmt.Errorf("edit %s: group %s has no open dead letter of it: look with leat dlq list", f.source, f.group)
	}
	letter := plan.Letters[0]
	edit, err := letter.Edit(cmd.Context(), a.codec, text)
	if err != nil {
		return fmt.Errorf("edit %s: %w", f.source, err)
	}
	view := editView{Source: f.source, Letter: letter.At.String(), Old: string(edit.Old), New: string(edit.New)}
	if a.output != formTable {
		err = show(a, []editView{view}, nil, nil)
	} else {
		_, err = fmt.Fprintf(a.cfg.Stdout, "letter: %s\nold:    %s\nnew:    %s\n", view.Letter, plain(view.Old), plain(view.New))
	}
	if err != nil {
		return err
	}
	if !f.yes {
		a.say("nothing was done; with --yes it is")
		return nil
	}
	job := f.job(client, topic, redrive.Redriven, filter, guard)
	job.Edit = &edit
	return a.deal(cmd.Context(), job)
}

// readPatch takes JSON as it is, and anything else as the name of a file.
func readPatch(patch string) ([]byte, error) {
	patch = strings.TrimSpace(patch)
	switch {
	case patch == "":
		return nil, errors.New("want a patch, or the name of a file with it")
	case patch[0] == '[' || patch[0] == '{':
		return []byte(patch), nil
	}
	return os.ReadFile(patch)
}
