package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

// What the page is made of.
type (
	catalog struct {
		Title    string
		Services []catalogService
		Topics   []catalogTopic
	}
	catalogService struct {
		Name          string
		Writes, Reads []string // topics
	}
	catalogTopic struct {
		topicDoc
		Events []catalogEvent
	}
	catalogEvent struct {
		eventDoc
		Encoding, Subject, Versions, Fault string
		Fields                             []fieldDoc
		Cut                                bool // there are more fields
		Schema                             string
		Imports                            []service.ContractImport
	}
)

func (a *app) schemaCatalogCommand() *cobra.Command {
	var s topicSource
	var title, out string
	cmd := &cobra.Command{
		Use:   "catalog --out FILE.html [SERVICE...] [-- SERVICE-BINARY ARGS...]",
		Short: "Write a page of topics, owners, events with their fields, and who reads and writes them",
		Long: `catalog writes one static HTML page that needs nothing beside it: the topics with their owners, the event
types with encoding, fields and schema, and the services that write and read them. Where the settings
name a registry, the versions that it has of each schema are on the page too.` + docsSourceLong,
		Example: `  leat schema catalog --out catalog.html
  leat schema catalog --out catalog.html --registry http://localhost:8081 -F order.json -F payment.json`,
		ValidArgsFunction: a.completeServices,
		Annotations:       map[string]string{outputAnnotation: formTable},
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("name the file to write: --out FILE.html")
			}
			manifests, err := a.described(cmd, s, args)
			if err != nil {
				return err
			}
			host, err := a.load()
			if err != nil {
				return err
			}
			client, err := host.Registry.Open()
			if err != nil {
				return &usageError{err}
			}
			var b bytes.Buffer
			if err := writeCatalog(cmd.Context(), &b, title, manifests, client); err != nil {
				return err
			}
			if out == "-" {
				_, err := b.WriteTo(a.cfg.Stdout)
				return err
			}
			if err := os.WriteFile(out, b.Bytes(), 0o644); err != nil {
				return fmt.Errorf("write the catalog: %w", err)
			}
			a.say("the catalog of %d services is in %s", len(manifests), out)
			return nil
		},
	}
	s.sourceFlags(cmd)
	cmd.Flags().StringVar(&title, "title", "Events", "`title` of the page")
	cmd.Flags().StringVar(&out, "out", "", "`file` to write, - for stdout; required")
	return cmd
}

// writeCatalog writes the page; client is nil where no registry is asked.
func writeCatalog(ctx context.Context, w io.Writer, title string, manifests []service.Manifest, client *schema.Client) error {
	page := catalog{Title: title}
	for _, m := range manifests {
		page.Services = append(page.Services, serviceOf(m))
	}
	for _, t := range topicDocs(manifests) {
		topic := catalogTopic{topicDoc: t}
		for _, e := range t.Events {
			own, err := catalogued(ctx, e, client)
			if err != nil {
				return fmt.Errorf("tell of %s in topic %s: %w", e.Type, t.Topic, err)
			}
			topic.Events = append(topic.Events, own)
		}
		page.Topics = append(page.Topics, topic)
	}
	if _, err := io.WriteString(w, page.html()); err != nil {
		return fmt.Errorf("write the catalog: %w", err)
	}
	return nil
}

func serviceOf(m service.Manifest) catalogService {
	s := catalogService{Name: m.Service}
	for _, p := range m.Produces {
		s.Writes = append(s.Writes, p.Topic)
	}
	for _, c := range m.Consumes {
		s.Reads = append(s.Reads, c.Topic)
	}
	slices.Sort(s.Writes)
	slices.Sort(s.Reads)
	s.Writes, s.Reads = slices.Compact(s.Writes), slices.Compact(s.Reads)
	return s
}

func catalogued(ctx context.Context, e eventDoc, client *schema.Client) (catalogEvent, error) {
	c := e.Contract
	own := catalogEvent{eventDoc: e, Encoding: string(c.Encoding), Fault: c.Fault, Schema: c.Schema, Imports: c.Imports}
	var err error
	if own.Fields, err = fieldDocs(c); err != nil {
		return own, err
	}
	if own.Cut = len(own.Fields) > maxFields; own.Cut {
		own.Fields = own.Fields[:maxFields]
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(c.Schema), "", "  ") == nil { // no .proto
		own.Schema = pretty.String()
	}
	if c.Event == "" || c.Encoding == leat.PlainJSON {
		return own, nil
	}
	own.Subject = c.Subject
	if client != nil {
		own.Versions, err = versionsOf(ctx, client, c.Subject)
	}
	return own, err
}

// versionsOf are the versions that a registry has of a subject.
func versionsOf(ctx context.Context, client *schema.Client, subject string) (string, error) {
	numbers, err := client.Versions(ctx, subject)
	if errors.Is(err, schema.ErrNotFound) {
		return "not registered", nil
	}
	var all []string
	for _, n := range numbers {
		all = append(all, strconv.Itoa(n))
	}
	return strings.Join(all, ", "), err
}
