package cli

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
)

// scope is where a registry keeps a setting.
type scope struct{ name, subject string } // subject "": of all

const (
	scopeSubject = "subject"
	scopeContext = "context"
	scopeGlobal  = "global"
	scopeDefault = "default" // nobody set it
)

// scopesOf are the places that a setting of a subject comes from, the narrowest first.
func scopesOf(subject string) (all []scope) {
	if subject != "" {
		context := ""
		if rest, ok := strings.CutPrefix(subject, ":."); ok {
			if end := strings.Index(rest, ":"); end >= 0 {
				context = subject[:2+end+1]
			}
		}
		if subject != context {
			all = append(all, scope{scopeSubject, subject})
		}
		if context != "" {
			all = append(all, scope{scopeContext, context})
		}
	}
	return append(all, scope{scopeGlobal, ""})
}

// subjectArg is the subject that a command is about, "": all. An empty argument is a variable of a
// shell that is not set, and does not mean all.
func subjectArg(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if args[0] == "" {
		return "", usagef("the subject is empty: leave it out where all are meant")
	}
	return args[0], nil
}

// settingPath is the way to the settings or the mode of a subject, "": of all.
func settingPath(kind, subject string) string {
	if subject == "" {
		return "/" + kind
	}
	return "/" + kind + "/" + url.PathEscape(subject)
}

func ofSubject(subject string) string {
	if subject == "" {
		return "all subjects"
	}
	return subject
}

// askSetting reads settings or a mode: those of the scope alone, or all that holds for it.
func askSetting(ctx context.Context, client *schema.Client, kind, subject string, inherited bool, into any) error {
	return client.Do(ctx, "get the "+kind+" of "+ofSubject(subject), http.MethodGet, settingPath(kind, subject),
		url.Values{"defaultToGlobal": {strconv.FormatBool(inherited)}}, nil, into)
}

// registrySettings are the settings that people look after by hand.
type registrySettings struct {
	Level     string `json:"compatibilityLevel"`
	Policy    string `json:"compatibilityPolicy"`
	Normalize *bool  `json:"normalize"`
	Alias     string `json:"alias"`
	Group     string `json:"compatibilityGroup"`
}

// configNames are the settings by their flags, in the order in which they are shown.
var configNames = []string{"level", "policy", "normalize", "alias", "group"}

// get is a setting as text, "": not set.
func (s registrySettings) get(name string) string {
	switch name {
	case "level":
		return s.Level
	case "policy":
		return s.Policy
	case "normalize":
		if s.Normalize != nil {
			return strconv.FormatBool(*s.Normalize)
		}
		return ""
	case "alias":
		return s.Alias
	}
	return s.Group
}

// settingView is one setting, where it comes from, and what would become of it.
type settingView struct {
	Setting string `json:"setting"`
	Value   string `json:"value,omitempty"`
	From    string `json:"from"`
	Becomes string `json:"becomes,omitempty"`
}

// settingsOf asks for all that holds for a subject, and where from. What holds is the registry's own
// answer: how much a subject with settings of its own inherits, each registry decides.
func settingsOf(ctx context.Context, client *schema.Client, subject string) ([]settingView, error) {
	var holds registrySettings
	if err := askSetting(ctx, client, "config", subject, true, &holds); err != nil {
		return nil, err
	}
	var views []settingView
	for _, name := range configNames {
		views = append(views, settingView{Setting: name, Value: holds.get(name), From: scopeDefault})
	}
	for _, sc := range scopesOf(subject) {
		var own registrySettings
		if err := askSetting(ctx, client, "config", sc.subject, false, &own); err != nil && !errors.Is(err, schema.ErrNotFound) {
			return nil, err
		}
		for i := range views {
			if v := &views[i]; v.From == scopeDefault && v.Value != "" && own.get(v.Setting) == v.Value {
				v.From = sc.name
			}
		}
	}
	return views, nil
}

// settingChange is what is asked of the settings of a scope.
type settingChange struct {
	values map[string]string // by the name of the flag; "": not set any more
	reset  bool
}

func (c settingChange) empty() bool { return !c.reset && len(c.values) == 0 }

// body is the request: what it does not name stays, null clears.
func (c settingChange) body() map[string]any {
	keys := map[string]string{"level": "compatibility", "policy": "compatibilityPolicy", "normalize": "normalize", "alias": "alias", "group": "compatibilityGroup"}
	body := map[string]any{}
	for name, value := range c.values {
		switch {
		case value == "":
			body[keys[name]] = nil
		case name == "normalize":
			body[keys[name]] = value == "true"
		default:
			body[keys[name]] = value
		}
	}
	return body
}

// read takes the flags that were given, and refuses what no registry knows.
func (c *settingChange) read(cmd *cobra.Command, subject string) error {
	c.values = map[string]string{}
	for _, name := range configNames {
		if !cmd.Flags().Changed(name) {
			continue
		}
		value, _ := cmd.Flags().GetString(name)
		known := true
		switch name {
		case "level":
			if value = strings.ToUpper(value); value != "" {
				if _, err := schema.ParseLevel(value); err != nil {
					return &usageError{err}
				}
			}
		case "policy":
			value = strings.ToUpper(value)
			known = slices.Contains([]string{"", "STRICT", "LENIENT", "LOGICAL"}, value)
		case "normalize":
			known = slices.Contains([]string{"", "true", "false"}, value)
		case "alias":
			known = subject != ""
		}
		if !known {
			return usagef("--%s %q: see leat schema config --help", name, value)
		}
		c.values[name] = value
	}
	if c.reset && len(c.values) > 0 {
		return usagef("--reset takes all settings back: leave the others out")
	}
	return nil
}

func (a *app) schemaConfigCommand() *cobra.Command {
	var change settingChange
	var yes bool
	cmd := &cobra.Command{
		Use:   "config [SUBJECT]",
		Short: "Show or change by what rules the registry judges a subject",
		Long: `config shows the settings of a subject, or without one those of all: the value that holds, and where it
comes from: the subject, its context, global (set for all, or what the registry does where nothing is set)
or default (not set anywhere). With flags it sets them; what no flag names stays, and an empty value
takes the setting back. --reset takes all settings of the subject back, also those that are not shown
(rule sets, metadata).`,
		Example: "  leat schema config orders-value\n  leat schema config orders-value --level BACKWARD_TRANSITIVE --policy LENIENT --yes\n  leat schema config orders-value --reset --yes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			subject, err := subjectArg(args)
			if err != nil {
				return err
			}
			if err := change.read(cmd, subject); err != nil {
				return err
			}
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			return a.schemaConfig(cmd.Context(), client, subject, change, yes)
		},
	}
	f := cmd.Flags()
	f.String("level", "", "compatibility `level`: NONE, BACKWARD, FORWARD, FULL, or one of the last three with _TRANSITIVE")
	f.String("policy", "", "how strictly JSON Schemas are judged: STRICT, LENIENT or LOGICAL (`policy`)")
	f.String("normalize", "", "`true` lets the registry compare all schemas by their meaning; or false")
	f.String("alias", "", "another `subject` that this one stands for")
	f.String("group", "", "`property` of the metadata: versions are compared where they have the same value of it")
	f.BoolVar(&change.reset, "reset", false, "take the settings back, so that those of the context or of all hold")
	f.BoolVarP(&yes, "yes", "y", false, "do it; without it only what would be done is shown")
	return cmd
}

// notSet is what becomes of a setting that is taken back.
const notSet = "not set here"

func (a *app) schemaConfig(ctx context.Context, client *schema.Client, subject string, change settingChange, yes bool) error {
	if yes && !change.empty() {
		op, path := "the config of "+ofSubject(subject), settingPath("config", subject)
		var err error
		if change.reset {
			err = client.Do(ctx, "reset "+op, http.MethodDelete, path, nil, nil, nil)
		} else {
			err = client.Do(ctx, "change "+op, http.MethodPut, path, nil, change.body(), nil)
		}
		if err != nil {
			return err
		}
	}
	views, err := settingsOf(ctx, client, subject)
	if err != nil {
		return err
	}
	head := []string{"SETTING", "VALUE", "FROM"}
	row := func(v settingView) []string { return []string{v.Setting, v.Value, v.From} }
	if yes || change.empty() {
		return show(a, views, head, row)
	}
	own := scopesOf(subject)[0].name
	for i := range views {
		v := &views[i]
		value, named := change.values[v.Setting]
		switch {
		case named && value != "":
			v.Becomes = value
		case named, change.reset && v.From == own:
			v.Becomes = notSet
		}
	}
	if err := show(a, views, append(head, "BECOMES"), func(v settingView) []string { return append(row(v), v.Becomes) }); err != nil {
		return err
	}
	a.say("nothing was done; with --yes it is")
	return nil
}
