package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
)

// RegistryConfig says where the schema registry is and how it is used. The zero value is none: all
// topics are plain JSON then.
type RegistryConfig struct {
	URLs           []string // instances, asked in this order until one answers
	User, Password string   // HTTP basic authentication; "": none
	Token          string   // bearer token; "": none
	TLS            kafka.TLSConfig

	// Schemas is what the service does with the schemas of what it writes: SchemasCheck, also for "",
	// SchemasRegister or SchemasLatest.
	Schemas string
	// Header names the schema in a record header, false: in five bytes before the data.
	Header bool
	// Normalize asks the registry to compare schemas by their meaning.
	Normalize bool
	// ValidateReads checks JSON against its schema when it is read too; what is written always is.
	ValidateReads bool
}

// What a service does with the schemas of what it writes.
const (
	SchemasCheck    = "check"    // they must be registered
	SchemasRegister = "register" // it registers them
	SchemasLatest   = "latest"   // it writes by the latest version of the subject
)

// Validate reports all that is wrong with the configuration.
func (r RegistryConfig) Validate() error {
	if len(r.URLs) == 0 {
		return nil
	}
	errs := []error{r.client(nil).Validate()}
	if _, err := r.TLS.Config(); err != nil {
		errs = append(errs, fmt.Errorf("schema registry: %w", err))
	}
	if r.Schemas != "" && !slices.Contains([]string{SchemasCheck, SchemasRegister, SchemasLatest}, r.Schemas) {
		errs = append(errs, fmt.Errorf("schema registry: Schemas is %q, want %s, %s or %s", r.Schemas, SchemasCheck, SchemasRegister, SchemasLatest))
	}
	return errors.Join(errs...)
}

func (r RegistryConfig) client(err *error) schema.ClientConfig {
	cfg := schema.ClientConfig{URLs: r.URLs, User: r.User, Password: r.Password, Token: r.Token}
	if err != nil {
		cfg.TLS, *err = r.TLS.Config()
	}
	return cfg
}

// Open makes a client of the registry; it asks nothing yet. It is nil where there is no registry.
func (r RegistryConfig) Open() (*schema.Client, error) {
	if len(r.URLs) == 0 {
		return nil, nil
	}
	var err error
	cfg := r.client(&err)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return schema.NewClient(cfg)
}

// codec is the codec of the service's events on the registry.
func (c Config) codec(r RegistryConfig, client *schema.Client) (leat.Codec, error) {
	if c.Codec != nil {
		return c.Codec, nil
	}
	return r.Codec(client, c.Encoding)
}

// Codec is a codec on the registry that client reaches, nil: none, with all encodings that leat has.
// standard is the encoding of topics that name none.
func (r RegistryConfig) Codec(client *schema.Client, standard leat.Encoding) (*schema.Codec, error) {
	cfg := schema.CodecConfig{
		Formats: r.formats(), Default: standard,
		AutoRegister: r.Schemas == SchemasRegister, UseLatest: r.Schemas == SchemasLatest,
		Header: r.Header, Normalize: r.Normalize,
	}
	if client != nil {
		cfg.Registry, cfg.URL = client, client.URL()
	}
	return schema.NewCodec(cfg)
}

// formats are the schema languages that services write and read.
func (r RegistryConfig) formats() []schema.Format {
	json := jsonschema.Format
	if r.ValidateReads {
		json = jsonschema.New(jsonschema.Options{ValidateOnRead: true})
	}
	return []schema.Format{avro.Format, json, protobuf.Format}
}

// schemas finds or registers the schemas of all that the services write.
func (r *run) schemas(ctx context.Context) error {
	for _, s := range r.h.services {
		codec, ok := s.codec.(*schema.Codec)
		if !ok {
			continue
		}
		err := r.persist(ctx, "schemas of "+s.name, func(ctx context.Context) error {
			err := codec.Prepare(ctx, s.owns()...)
			if err != nil && !leat.IsUnavailable(err) {
				return leat.Permanent(err) // a refused contract stays refused
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// encoded are the topics that the service reads and that say how they are encoded.
func (s *Service) encoded() []leat.Topic {
	return slices.DeleteFunc(s.reads(), func(t leat.Topic) bool { return t.Encoding == "" && t.KeyEncoding == "" })
}
