package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
)

// Forms of a check for those who run it.
const (
	formGitHub = "github"
	formJUnit  = "junit"
)

// checking is what `leat schema check` is told.
type checking struct {
	source  contractSource
	against string
	level   string
	lint    string
}

func (a *app) schemaCheckCommand() *cobra.Command {
	var s checking
	cmd := &cobra.Command{
		Use:   "check [PATH...] [-- SERVICE-BINARY ARGS...]",
		Short: "Compare contracts with what is in use, and find breaks before they ship",
		Long: `check compares contracts with the versions that are in use, by the rules of the registry, and prints each
break with its place, what it breaks for whom and how to mend it. It leaves with 3 where it found one.` + contractSourceLong + `

In use is what the registry has, that of the settings or another one by its URL; what a file was at a
commit of git; or what lies in a directory: a snapshot that "leat schema pull" wrote, or a file named
after each subject. The level is that of the subject, and BACKWARD where nobody says. JSON Schemas of
Go types are judged by the policy LENIENT, because what reads them passes over what it does not know; what
their registry would not take all the same, by a policy of its own, is refused, and counts as a break.

In use are also the versions that the same record has under its topic's other subject (orders-value,
orders-RECORD), where they are later: a topic's subjects change with the number of its types.

What is in use in a directory, a snapshot or a commit, and none of the contracts is of, is shown as gone:
below the directories that are named, and of the topics of services. It is no break, and may be another's.

Warnings tell what the rules let through and hurts all the same.`,
		Example: `  leat schema check --against git:main schemas/
  leat schema check --against http://localhost:8081 -- ./order
  leat schema check --against snapshot --level FULL -o github orders-value.avsc`,
		Args:        cobra.ArbitraryArgs,
		Annotations: map[string]string{outputAnnotation: strings.Join([]string{formTable, formJSON, formLines, formGitHub, formJUnit}, ",")},
		RunE: func(cmd *cobra.Command, args []string) error {
			views, err := a.check(cmd, s, args)
			if err != nil {
				return err
			}
			if err := a.writeChecks(views); err != nil {
				return err
			}
			return verdictOf(views, s.lint == "fail")
		},
	}
	f := cmd.Flags()
	s.source.flags(cmd)
	f.StringVar(&s.against, "against", "registry", "what is in use: `registry`, a URL, git:REF or a directory")
	f.StringVar(&s.level, "level", "", "compatibility `level` in place of the subject's: BACKWARD, FORWARD, FULL, each with _TRANSITIVE, or NONE")
	f.StringVar(&s.lint, "lint", "warn", "what verdicts let through and hurts: `warn`, off, or fail to leave with 3")
	f.StringP("output", "o", formTable, "form: table, json, jsonl, github (annotations) or junit")
	return cmd
}

func (a *app) check(cmd *cobra.Command, s checking, args []string) ([]checkView, error) {
	var level schema.Level
	if s.level != "" {
		var err error
		if level, err = schema.ParseLevel(s.level); err != nil {
			return nil, &usageError{err}
		}
	}
	if s.lint != "off" && s.lint != "warn" && s.lint != "fail" {
		return nil, usagef("--lint %q: want off, warn or fail", s.lint)
	}
	contracts, err := a.contracts(cmd, s.source, args)
	if err != nil {
		return nil, err
	}
	base, err := a.baseline(s.against, level)
	if err != nil {
		return nil, err
	}
	views := []checkView{}
	for _, c := range contracts {
		v, err := compare(cmd.Context(), base, c, level, s.lint != "off")
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	left, err := gone(cmd.Context(), base, directories(cmd, args), contracts)
	return append(views, left...), err
}

// directories are those among the arguments.
func directories(cmd *cobra.Command, args []string) (dirs []string) {
	if cmd.ArgsLenAtDash() >= 0 {
		return nil
	}
	for _, path := range args {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// verdictOf is how the command ends.
func verdictOf(views []checkView, warningsToo bool) error {
	bad, warned := 0, 0
	for _, v := range views {
		if v.bad() {
			bad++
		} else if len(v.Warnings) > 0 {
			warned++
		}
	}
	switch {
	case bad > 0:
		return foundf("%d of %d contracts must not ship as they are", bad, len(views))
	case warned > 0 && warningsToo:
		return foundf("%d of %d contracts have warnings", warned, len(views))
	}
	return nil
}
