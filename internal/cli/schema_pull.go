package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) schemaPullCommand() *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "pull DIR",
		Short: "Write what the registry has into a directory, for checks without it",
		Long: `pull writes a file for each subject of the registry, with its live versions and the rules that it is
judged by; "leat schema check --against DIR" then needs no registry. Files of subjects that are gone go.
Keep what the schemas refer to within the prefix.`,
		Example: "  leat schema pull snapshot --registry http://localhost:8081",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			subjects, err := client.Subjects(cmd.Context(), prefix)
			if err != nil {
				return err
			}
			return a.pull(cmd.Context(), registryBaseline{client: client, all: true}, subjects, prefix, args[0])
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "`text` that subjects begin with; all others stay as they are in the directory")
	return cmd
}

func (a *app) pull(ctx context.Context, from registryBaseline, subjects []string, prefix, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the snapshot's directory: %w", err)
	}
	keep := map[string]bool{}
	for _, subject := range subjects {
		live, rules, err := from.versions(ctx, contract{subject: subject})
		if err != nil {
			return err
		}
		var b bytes.Buffer
		subject = unqualified(from.client.URL(), subject)
		for i := range live {
			for j := range live[i].References {
				ref := &live[i].References[j]
				ref.Subject = unqualified(from.client.URL(), ref.Subject)
			}
		}
		if err := writeJSON(&b, snapshot{subject, rules, live}); err != nil {
			return fmt.Errorf("write the snapshot of %s: %w", subject, err)
		}
		name := snapshotFile(subject)
		keep[name] = true
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write the snapshot of %s: %w", subject, err)
		}
	}
	prefix = unqualified(from.client.URL(), prefix)
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look through the snapshot: %w", err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), snapshotSuffix) && strings.HasPrefix(f.Name(), strings.TrimSuffix(snapshotFile(prefix), snapshotSuffix)) && !keep[f.Name()] {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return fmt.Errorf("remove the snapshot of a subject that is gone: %w", err)
			}
		}
	}
	a.say("%d subjects are in %s", len(subjects), dir)
	return nil
}

// unqualified is the name of a subject as it is known to those who ask in the context that the address
// names, /contexts/.staging: the registry lists it as :.staging:orders-value, contracts are of
// orders-value.
func unqualified(at, subject string) string {
	_, context, ok := strings.Cut(at, "/contexts/")
	if !ok {
		return subject
	}
	context, _, _ = strings.Cut(context, "/")
	if plain, err := url.PathUnescape(context); err == nil {
		context = plain
	}
	return strings.TrimPrefix(subject, ":"+context+":")
}
