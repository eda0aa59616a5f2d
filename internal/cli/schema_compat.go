package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/schema"
)

// schemaFile reads a schema as it would be registered. references are texts NAME=SUBJECT/VERSION.
func schemaFile(path string, references []string) (schema.Registered, error) {
	r := schema.Registered{Type: schemaExtensions[filepath.Ext(path)]}
	if r.Type == "" {
		return r, usagef("%s: want a file with the ending .avsc, .proto or .json", path)
	}
	for _, text := range references {
		name, at, _ := strings.Cut(text, "=")
		end := strings.LastIndex(at, "/")
		if name == "" || end <= 0 {
			return r, usagef("--reference %q: want NAME=SUBJECT/VERSION", text)
		}
		version, err := versionArg([]string{at[end+1:]}, -1)
		if err != nil {
			return r, err
		}
		r.References = append(r.References, schema.Reference{Name: name, Subject: at[:end], Version: version})
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("read the schema: %w", err)
	}
	r.Text = string(text)
	return r, nil
}

func referenceFlag(cmd *cobra.Command, references *[]string) {
	cmd.Flags().StringArrayVar(references, "reference", nil, "`NAME=SUBJECT/VERSION`: what the file calls NAME is this version, a number or latest; repeat for more")
}

// compatView is what a registry says of a schema.
type compatView struct {
	Subject    string   `json:"subject"`
	Against    string   `json:"against"`
	Compatible bool     `json:"compatible"`
	Messages   []string `json:"messages,omitempty"`
}

func (a *app) schemaCompatCommand() *cobra.Command {
	var at string
	var references []string
	var normalize bool
	cmd := &cobra.Command{
		Use:   "compat SUBJECT FILE",
		Short: "Ask the registry whether it would take a schema",
		Long: `compat asks the registry, which judges by its own settings, and shows its answer in its own words; it
leaves with 3 where that is no. A file has no metadata: in a subject with a compatibility group it is
compared with the versions that have no value of it. "leat schema check" judges by itself, and says what to
do about a break.`,
		Example: "  leat schema compat orders-value orders-value.avsc\n  leat schema compat orders-value orders-value.avsc --version 3",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := schemaFile(args[1], references)
			if err != nil {
				return err
			}
			v := compatView{Subject: args[0], Against: "the versions that its level names"}
			path := "/compatibility/subjects/" + url.PathEscape(v.Subject) + "/versions"
			if at != "" {
				version, err := versionArg([]string{at}, -1)
				if err != nil {
					return err
				}
				if at = "latest"; version != -1 {
					at = strconv.Itoa(version)
				}
				path, v.Against = path+"/"+at, "version "+at
			}
			client, err := a.registryClient("")
			if err != nil {
				return err
			}
			var got struct {
				Compatible bool     `json:"is_compatible"`
				Messages   []string `json:"messages"`
			}
			if asked.Type == schema.Avro {
				asked.Type = "" // what older registries know
			}
			query := url.Values{"verbose": {"true"}, "normalize": {strconv.FormatBool(normalize)}}
			if err := client.Do(cmd.Context(), "ask whether "+v.Subject+" would take a schema", http.MethodPost, path, query, asked, &got); err != nil {
				return err
			}
			v.Compatible, v.Messages = got.Compatible, got.Messages
			if err := showOne(a, v, v.write); err != nil || v.Compatible {
				return err
			}
			return foundf("the registry would not take %s as a version of %s", args[1], v.Subject)
		},
	}
	cmd.Flags().StringVar(&at, "version", "", "one `version`, a number or latest, in place of those that the subject's level names")
	cmd.Flags().BoolVar(&normalize, "normalize", false, "let the registry compare schemas by their meaning")
	referenceFlag(cmd, &references)
	return cmd
}

func (v compatView) write(w io.Writer) error {
	var b strings.Builder
	verdict := "compatible"
	if !v.Compatible {
		verdict = "incompatible"
	}
	fmt.Fprintf(&b, "%s with %s of %s\n", verdict, v.Against, plain(v.Subject))
	for _, m := range v.Messages {
		fmt.Fprintf(&b, "  %s\n", plain(m))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
