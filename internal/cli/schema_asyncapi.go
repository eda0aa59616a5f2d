package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/leatdev/leat/service"
)

const formYAML = "yaml"

func (a *app) schemaAsyncAPICommand() *cobra.Command {
	var s topicSource
	var title, release string
	cmd := &cobra.Command{
		Use:   "asyncapi [SERVICE...] [-- SERVICE-BINARY ARGS...]",
		Short: "Describe topics, events and services as an AsyncAPI 3.0 document",
		Long: `asyncapi prints an AsyncAPI 3.0 document: the brokers and the registry of the settings as servers, a
channel for each topic with its Kafka bindings, a message for each event type with its schema and headers,
and what each service sends and receives as operations. It asks neither cluster nor registry.` + docsSourceLong,
		Example: `  leat schema asyncapi order payment > asyncapi.yaml
  leat schema asyncapi -o json --title "Order events" --release 1.4.0 -- ./order`,
		ValidArgsFunction: a.completeServices,
		Annotations:       map[string]string{outputAnnotation: formYAML + "," + formJSON},
		RunE: func(cmd *cobra.Command, args []string) error {
			manifests, err := a.described(cmd, s, args)
			if err != nil {
				return err
			}
			host, err := a.load()
			if err != nil {
				return err
			}
			doc, err := asyncOf(manifests, host, asyncInfo{Title: title, Version: release})
			if err != nil {
				return err
			}
			if a.output == formJSON {
				return writeJSON(a.cfg.Stdout, doc)
			}
			return writeYAML(a.cfg.Stdout, doc)
		},
	}
	s.sourceFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&title, "title", "Events", "`title` of the document")
	f.StringVar(&release, "release", "1.0.0", "`version` of what the document describes")
	f.StringP("output", "o", formYAML, "form: yaml or json")
	return cmd
}

// asyncOf describes services, their topics and the events in them.
func asyncOf(manifests []service.Manifest, host service.HostConfig, info asyncInfo) (*asyncAPI, error) {
	doc := &asyncAPI{
		AsyncAPI: "3.0.0", Info: info, DefaultContentType: "application/json",
		Servers: asyncServers(host), Channels: map[string]asyncChannel{}, Operations: map[string]asyncOperation{},
		Components: map[string]map[string]object{"schemas": {eventHeaders: cloudEventsHeaders()}},
	}
	topics := topicDocs(manifests)
	for _, t := range topics {
		c, err := channelOf(t, host.Registry.Header)
		if err != nil {
			return nil, err
		}
		doc.Channels[t.Topic] = c
	}
	for _, m := range manifests {
		for _, t := range topics {
			doc.operations(m, t)
		}
	}
	return doc, nil
}

// operations are what a service does with a topic.
func (doc *asyncAPI) operations(m service.Manifest, t topicDoc) {
	add := func(action, title string, services func(eventDoc) []string, bindings map[string]kafkaOperation) {
		op := asyncOperation{
			Action: action, Title: title, Channel: asyncReference{pointer("channels", t.Topic)},
			Tags: []asyncTag{{m.Service}}, Bindings: bindings,
		}
		for _, e := range t.Events {
			for _, s := range services(e) {
				if s == m.Service {
					op.Messages = append(op.Messages, asyncReference{pointer("channels", t.Topic, "messages", e.Type)})
				}
			}
		}
		if op.Messages != nil {
			doc.Operations[m.Service+"."+action+"."+t.Topic] = op
		}
	}
	add("send", m.Service+" writes "+t.Topic, func(e eventDoc) []string { return e.Writers }, nil)
	add("receive", m.Service+" reads "+t.Topic, func(e eventDoc) []string { return e.Readers }, map[string]kafkaOperation{
		"kafka": {GroupID: object{"type": "string", "const": m.Group}, Version: kafkaBinding},
	})
}

// pointer refers to a place in the document: a JSON pointer in the form of a URI's fragment.
func pointer(path ...string) string {
	var b strings.Builder
	b.WriteByte('#')
	for _, p := range path {
		b.WriteByte('/')
		for _, c := range []byte(p) {
			switch {
			case c == '~':
				b.WriteString("~0")
			case c == '/':
				b.WriteString("~1")
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._", c) >= 0:
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
	}
	return b.String()
}

// writeYAML writes what v is in JSON as YAML, in the same order.
func writeYAML(w io.Writer, v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return err
	}
	dec := json.NewDecoder(&b)
	dec.UseNumber()
	node, err := yamlOf(dec)
	if err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return err
	}
	return enc.Close()
}

// yamlOf is the next value of dec.
func yamlOf(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		if v == '{' {
			node.Kind = yaml.MappingNode
		}
		for dec.More() { // keys and values of an object come one after the other
			next, err := yamlOf(dec)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, next)
		}
		_, err := dec.Token()
		return node, err
	case string:
		node := &yaml.Node{}
		node.SetString(v)
		return node, nil
	case json.Number:
		tag := "!!int"
		if _, err := strconv.ParseInt(v.String(), 10, 64); err != nil {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}
