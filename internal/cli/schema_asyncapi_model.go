package cli

import "encoding/json"

// The parts of an AsyncAPI 3.0 document that leat has something to say about. Maps come out in the
// order of their keys.

type asyncAPI struct {
	AsyncAPI           string                       `json:"asyncapi"`
	Info               asyncInfo                    `json:"info"`
	DefaultContentType string                       `json:"defaultContentType"`
	Servers            map[string]asyncServer       `json:"servers"`
	Channels           map[string]asyncChannel      `json:"channels"`
	Operations         map[string]asyncOperation    `json:"operations"`
	Components         map[string]map[string]object `json:"components"`
}

// object is a JSON object of any form.
type object = map[string]any

type asyncInfo struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

type asyncServer struct {
	Host     string                 `json:"host"`
	Protocol string                 `json:"protocol"`
	Bindings map[string]kafkaServer `json:"bindings,omitempty"`
}

type kafkaServer struct {
	RegistryURL    string `json:"schemaRegistryUrl"`
	RegistryVendor string `json:"schemaRegistryVendor"`
	Version        string `json:"bindingVersion"`
}

type asyncTag struct {
	Name string `json:"name"`
}

type asyncReference struct {
	Ref string `json:"$ref"`
}

type asyncChannel struct {
	Address     string                  `json:"address"`
	Description string                  `json:"description,omitempty"`
	Messages    map[string]asyncMessage `json:"messages"`
	Tags        []asyncTag              `json:"tags,omitempty"`
	Bindings    map[string]kafkaChannel `json:"bindings"`
}

type kafkaChannel struct {
	Topic      string         `json:"topic"`
	Partitions int            `json:"partitions,omitempty"`
	Replicas   int            `json:"replicas,omitempty"`
	Config     map[string]any `json:"topicConfiguration,omitempty"`
	Version    string         `json:"bindingVersion"`
}

type asyncMessage struct {
	Name        string                  `json:"name"`
	Description string                  `json:"description,omitempty"`
	ContentType string                  `json:"contentType,omitempty"`
	Headers     object                  `json:"headers"`
	Payload     *asyncPayload           `json:"payload,omitempty"`
	Bindings    map[string]kafkaMessage `json:"bindings"`
	// Subject is where the schema is registered.
	Subject string `json:"x-leat-subject,omitempty"`
	// Imports are texts that the payload refers to and that its format has no place for, by their names.
	Imports map[string]string `json:"x-leat-imports,omitempty"`
}

type asyncPayload struct {
	Format string          `json:"schemaFormat"`
	Schema json.RawMessage `json:"schema"`
}

type kafkaMessage struct {
	Key            object `json:"key"`
	IDLocation     string `json:"schemaIdLocation,omitempty"`
	IDEncoding     string `json:"schemaIdPayloadEncoding,omitempty"`
	LookupStrategy string `json:"schemaLookupStrategy,omitempty"`
	Version        string `json:"bindingVersion"`
}

type asyncOperation struct {
	Action   string                    `json:"action"`
	Channel  asyncReference            `json:"channel"`
	Title    string                    `json:"title"`
	Tags     []asyncTag                `json:"tags"`
	Bindings map[string]kafkaOperation `json:"bindings,omitempty"`
	Messages []asyncReference          `json:"messages"`
}

type kafkaOperation struct {
	GroupID object `json:"groupId"`
	Version string `json:"bindingVersion"`
}
