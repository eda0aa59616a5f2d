package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
	"github.com/leatdev/leat/service"
)

const (
	kafkaBinding = "0.5.0"       // version of the Kafka bindings
	eventHeaders = "cloudevents" // name of the headers that all events have
)

// asyncServers are the brokers of the settings. Credentials stay out of the document.
func asyncServers(host service.HostConfig) map[string]asyncServer {
	servers := map[string]asyncServer{}
	protocol := "kafka"
	if host.Kafka.TLS.Enabled || strings.HasSuffix(strings.ToUpper(host.Kafka.Properties["security.protocol"]), "SSL") {
		protocol = "kafka-secure"
	}
	brokers := host.Kafka.Brokers
	if len(brokers) == 0 {
		brokers = []string{"localhost:9092"}
	}
	for i, broker := range brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			broker = net.JoinHostPort(strings.Trim(broker, "[]"), "9092")
		}
		s := asyncServer{Host: broker, Protocol: protocol}
		if urls := host.Registry.URLs; len(urls) > 0 {
			s.Bindings = map[string]kafkaServer{"kafka": {RegistryURL: withoutUser(urls[0]), RegistryVendor: "confluent", Version: kafkaBinding}}
		}
		name := "kafka"
		if len(brokers) > 1 {
			name += "-" + strconv.Itoa(i+1)
		}
		servers[name] = s
	}
	return servers
}

func withoutUser(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

func channelOf(t topicDoc, header bool) (asyncChannel, error) {
	c := asyncChannel{
		Address: t.Topic, Messages: map[string]asyncMessage{},
		Bindings: map[string]kafkaChannel{"kafka": {Topic: t.Topic, Partitions: t.Partitions, Replicas: t.Replication, Config: topicConfiguration(t.Config), Version: kafkaBinding}},
	}
	if t.Owner != "" {
		c.Description, c.Tags = "Owned and written by "+t.Owner+".", []asyncTag{{t.Owner}}
	}
	for _, e := range t.Events {
		m, err := messageOf(t, e, header)
		if err != nil {
			return c, fmt.Errorf("describe %s of topic %s: %w", e.Type, t.Topic, err)
		}
		c.Messages[e.Type] = m
	}
	return c, nil
}

// topicConfiguration has numbers and lists where the binding wants them.
func topicConfiguration(config map[string]string) map[string]any {
	typed := map[string]any{}
	for name, text := range config {
		switch name {
		case "cleanup.policy":
			typed[name] = strings.Split(strings.ReplaceAll(text, " ", ""), ",")
			continue
		case "retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes":
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				typed[name] = n
				continue
			}
		}
		typed[name] = text
	}
	return typed
}

func messageOf(t topicDoc, e eventDoc, header bool) (asyncMessage, error) {
	c, topic := e.Contract, t.Topic
	key := "Decides the partition, and so the order; null: no order."
	if t.Keys.Key {
		key += fmt.Sprintf(" Encoded as %s, registered as %s.", t.Keys.Type, t.Keys.Subject)
	}
	binding := kafkaMessage{Key: object{"type": []string{"string", "null"}, "description": key}, Version: kafkaBinding}
	m := asyncMessage{Name: e.Type, Headers: object{"allOf": []object{
		{"$ref": pointer("components", "schemas", eventHeaders)},
		{"type": "object", "properties": object{"ce_type": object{"const": e.Type}}},
	}}}
	var err error
	switch {
	case c.Event == "":
		m.Description = "Its owner is not part of this document."
	case c.Schema == "":
		m.Description, m.ContentType = "It has no schema: "+c.Fault, contentType(c)
	default:
		m.ContentType = contentType(c)
		m.Payload, err = payloadOf(c, pointer("channels", topic, "messages", e.Type, "payload", "schema"))
		if c.Type != schema.Avro && len(c.Imports) > 0 {
			m.Imports = map[string]string{}
			for _, im := range c.Imports {
				m.Imports[im.Name] = im.Schema
			}
		}
	}
	if c.Event != "" && c.Encoding != leat.PlainJSON {
		m.Subject, binding.LookupStrategy = c.Subject, strategyOf(c)
		binding.IDLocation, binding.IDEncoding = "payload", "confluent"
		if header {
			binding.IDLocation, binding.IDEncoding = "header", ""
		}
	}
	m.Bindings = map[string]kafkaMessage{"kafka": binding}
	return m, err
}

// strategyOf tells by the subject where schemas of the topic are registered.
func strategyOf(c service.Contract) string {
	switch {
	case c.Subject == c.Topic+"-value":
		return "TopicNameStrategy"
	case strings.HasPrefix(c.Subject, c.Topic+"-"):
		return "TopicRecordNameStrategy"
	}
	return "RecordNameStrategy"
}

func contentType(c service.Contract) string {
	switch c.Type {
	case schema.Avro:
		return avro.Format.ContentType()
	case schema.Protobuf:
		return protobuf.Format.ContentType()
	}
	return jsonschema.Format.ContentType()
}

// payloadOf is the contract's schema in the form that AsyncAPI has for its language. at is where in the
// document it comes to lie.
func payloadOf(c service.Contract, at string) (*asyncPayload, error) {
	switch c.Type {
	case schema.Protobuf:
		text, err := json.Marshal(c.Schema)
		return &asyncPayload{"application/vnd.google.protobuf;version=3", text}, err
	case schema.Avro:
		text := c.Schema
		if len(c.Imports) > 0 {
			s, err := avro.Format.Parse(text, c.SchemaImports())
			if err != nil {
				return nil, err
			}
			if text, err = s.As("resolved"); err != nil {
				return nil, err
			}
		}
		if !json.Valid([]byte(text)) { // the bare name of a primitive type
			text = strconv.Quote(strings.TrimSpace(text))
		}
		return &asyncPayload{"application/vnd.apache.avro+json;version=1.9.0", json.RawMessage(text)}, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(c.Schema)); err != nil {
		return nil, err
	}
	var head struct {
		Schema string `json:"$schema"`
		ID     string `json:"$id"`
	}
	_ = json.Unmarshal(b.Bytes(), &head) // true and false are schemas without either
	text := b.Bytes()
	if head.ID == "" { // references are looked up from the root of the document
		text = bytes.ReplaceAll(text, []byte(`"$ref":"#`), []byte(`"$ref":"`+at))
	}
	return &asyncPayload{"application/schema+json;version=" + draftOf(head.Schema), text}, nil
}

// draftOf is the draft of JSON Schema that a text names, and draft-07 where it names none.
func draftOf(url string) string {
	for _, part := range strings.FieldsFunc(url, func(r rune) bool { return r == '/' || r == '#' }) {
		if strings.HasPrefix(part, "draft-") || strings.HasPrefix(part, "20") {
			return part
		}
	}
	return "draft-07"
}

// cloudEventsHeaders are the headers of every event; docs/reference/headers.md tells of them.
func cloudEventsHeaders() object {
	text := func(description string) object { return object{"type": "string", "description": description} }
	return object{
		"type":        "object",
		"description": "CloudEvents 1.0 in binary mode: the attributes are headers.",
		"required":    []string{"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"},
		"properties": object{
			"ce_specversion":    object{"const": "1.0"},
			"ce_id":             text("Unique per source."),
			"ce_type":           text("The contract."),
			"ce_source":         text("The service that the event comes from."),
			"ce_subject":        text("The key, unless the sender said otherwise."),
			"ce_time":           object{"type": "string", "format": "date-time", "description": "When it happened."},
			"ce_correlationid":  text("The same for all that one root event causes."),
			"ce_causationid":    text("Id of the event that caused this one."),
			"ce_dataschema":     text("Where the schema of the data is registered."),
			"ce_dataref":        text("Where data lies that was too large for the topic; the value is empty then."),
			"content-type":      text("Media type of the value."),
			"traceparent":       text("W3C trace context."),
			"tracestate":        text("W3C trace context."),
			"__value_schema_id": text("The schema's GUID in the header form of its name."),
		},
	}
}
