package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
)

// sendFlags say what goes out.
type sendFlags struct {
	key, typ, id, source, subject, contentType string
	headers                                    []string
	noKey, raw, lines, records, tombstone      bool
	file                                       string
	schema, keySchema                          string // SUBJECT or SUBJECT:VERSION
	message                                    string // of the schema's file
	create                                     int
	topic                                      string
}

// maxLine is the longest line that send reads.
const maxLine = 64 << 20

// sendBatch is how many records are under way at once.
const sendBatch = 1000

func (a *app) sendCommand() *cobra.Command {
	var s sendFlags
	cmd := &cobra.Command{
		Use:   "send TOPIC [DATA]",
		Short: "Send events or plain records to a topic",
		Long: `send writes a CloudEvent with the given type and data, or with --raw a record as it is, and waits until
all in-sync replicas have it. It prints where each record lies.

DATA comes from the argument, from --file, or from stdin; with --lines each line of stdin is the data
of one event, with --records each is a JSON object as "leat tail -o jsonl" writes it, whose fields win
over the flags. Where a service of this binary declares the type, the data is checked against it, and
the key is the one that the type says unless --key is given.

With --schema SUBJECT[:VERSION] the data, JSON, is encoded by that schema of the registry, of a Protobuf
file by the message that --message names or its first; records of "leat tail -o jsonl" are encoded by the
schema and the message that they were read by.`,
		Example: `  leat send shop.orders '{"order_id":"42","cents":1200}' --type shop.order.created.v1 --key 42
  leat send shop.orders --raw --key 42 'not json'
  leat tail shop.orders -o jsonl | leat send copy.of.orders --records --create 6`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.topic = args[0]
			s.noKey = !cmd.Flags().Changed("key")
			if err := s.check(args[1:]); err != nil {
				return err
			}
			return a.send(cmd.Context(), s, args[1:])
		},
	}
	f := cmd.Flags()
	f.StringVarP(&s.key, "key", "k", "", "`key` of the record")
	f.StringVarP(&s.typ, "type", "t", "", "CloudEvents `type` of the event")
	f.StringVar(&s.id, "id", "", "CloudEvents `id`; default: a new one")
	f.StringVar(&s.source, "source", "leat-cli", "CloudEvents `source`")
	f.StringVar(&s.subject, "subject", "", "CloudEvents `subject`; default: the key")
	f.StringVar(&s.contentType, "content-type", "application/json", "media `type` of the data")
	f.StringArrayVarP(&s.headers, "header", "H", nil, "record header `name=value`; repeat for more")
	f.BoolVar(&s.raw, "raw", false, "a plain record, no CloudEvent")
	f.BoolVar(&s.tombstone, "tombstone", false, "no value at all")
	f.BoolVar(&s.lines, "lines", false, "each line of stdin is the data of one event")
	f.BoolVar(&s.records, "records", false, "each line of stdin is a record as tail -o jsonl writes it")
	f.StringVarP(&s.file, "file", "F", "", "`file` with the data")
	f.StringVar(&s.schema, "schema", "", "`subject[:version]` of the registry to encode the data by")
	f.StringVar(&s.message, "message", "", "with --schema: the Protobuf `message` that the data is, by its name; none: the file's first")
	f.StringVar(&s.keySchema, "key-schema", "", "`subject[:version]` of the registry to encode the key by")
	f.IntVar(&s.create, "create", 0, "make the topic with so many partitions where it is missing")
	return cmd
}

func (s *sendFlags) check(data []string) error {
	sources := len(data)
	for _, on := range []bool{s.lines, s.records, s.tombstone, s.file != ""} {
		if on {
			sources++
		}
	}
	switch {
	case sources > 1:
		return usagef("more than one of DATA, --file, --lines, --records and --tombstone")
	case s.raw && (s.typ != "" || s.id != "" || s.subject != ""):
		return usagef("--raw is no CloudEvent: --type, --id and --subject have no place in it")
	case !s.raw && !s.records && s.typ == "":
		return usagef("an event needs its --type, for example shop.order.created.v1; for a plain record: --raw")
	case s.lines && s.id != "":
		return usagef("--id is the id of one event, not of every line")
	case s.schema != "" && (s.records || s.tombstone):
		return usagef("--schema goes with data, not with --records or --tombstone")
	case s.message != "" && s.schema == "":
		return usagef("--message goes with --schema")
	case s.keySchema != "" && (s.records || s.noKey):
		return usagef("--key-schema goes with --key")
	case s.create < 0:
		return usagef("--create %d: want the number of partitions", s.create)
	}
	for _, h := range s.headers {
		if name, _, ok := strings.Cut(h, "="); !ok || name == "" {
			return usagef("--header %q: want name=value", h)
		}
	}
	return nil
}

func (a *app) send(ctx context.Context, s sendFlags, data []string) error {
	client, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := a.ensureTopic(ctx, client, s); err != nil {
		return err
	}
	out := &sender{a: a, client: client, all: []sentView{}, sent: a.progress("records sent")}
	defer out.sent.done()
	if !s.lines && !s.records {
		value, err := a.value(s, data)
		if err != nil {
			return err
		}
		v := s.view()
		if value != nil {
			v.setData(value)
		}
		if err := out.add(ctx, s, v, value); err != nil {
			return err
		}
		return out.end(ctx)
	}
	scanner := bufio.NewScanner(a.cfg.Stdin)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; scanner.Scan(); n++ {
		if len(scanner.Bytes()) == 0 {
			continue
		}
		if err := out.line(ctx, s, scanner.Bytes()); err != nil {
			return errors.Join(fmt.Errorf("line %d: %w", n, err), out.end(ctx))
		}
	}
	if err := scanner.Err(); err != nil {
		return errors.Join(fmt.Errorf("read stdin: %w", err), out.end(ctx))
	}
	return out.end(ctx)
}

// value is the data of the one event, nil for a tombstone.
func (a *app) value(s sendFlags, data []string) ([]byte, error) {
	switch {
	case s.tombstone:
		return nil, nil
	case len(data) == 1:
		return []byte(data[0]), nil
	case s.file != "":
		return os.ReadFile(s.file)
	}
	value, err := io.ReadAll(a.cfg.Stdin)
	if err != nil {
		return nil, fmt.Errorf("read stdin: %w", err)
	}
	return append([]byte{}, value...), nil
}

// view is the record that the flags describe, without its data.
func (s *sendFlags) view() recordView {
	v := recordView{Topic: s.topic, ID: s.id, Type: s.typ, Source: s.source, Subject: s.subject, ContentType: s.contentType}
	if !s.noKey {
		v.Key = &s.key
	}
	for _, h := range s.headers {
		name, value, _ := strings.Cut(h, "=")
		v.Headers = append(v.Headers, headerView{Key: name, Value: value})
	}
	return v
}

// ensureTopic says early that a topic is missing. On the embedded broker, as on any whose topics are
// made on first use, it is made; elsewhere --create asks for it.
func (a *app) ensureTopic(ctx context.Context, client *kafka.Client, s sendFlags) error {
	if s.create == 0 && !client.Embedded() {
		_, err := client.DescribeTopics(ctx, s.topic)
		return err
	}
	plan, err := client.PlanTopics(ctx, []leat.Topic{{Name: s.topic, Partitions: s.create}}, kafka.PlanConfig{})
	if err != nil {
		return err
	}
	if len(plan.Create) == 0 {
		return nil
	}
	if err := plan.Apply(ctx); err != nil {
		return err
	}
	a.say("%s", strings.TrimSpace(plan.String()))
	return nil
}

// sender writes records in batches and tells where each lies.
type sender struct {
	a      *app
	client *kafka.Client
	batch  []leat.Message
	all    []sentView // of -o json
	sent   *progress
}

// sentView is where a record lies.
type sentView struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	ID        string `json:"id,omitempty"`
}

// line adds what one line of stdin says.
func (o *sender) line(ctx context.Context, s sendFlags, text []byte) error {
	v := s.view()
	if s.records {
		topic := v.Topic
		dec := json.NewDecoder(strings.NewReader(string(text)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			return fmt.Errorf("read a record: %w", err)
		}
		if v.KeyBase64 != nil {
			v.Key = nil
		}
		v.Topic = topic
	} else {
		v.setData(slices.Clone(text))
	}
	value, err := v.value()
	if err != nil {
		return err
	}
	return o.add(ctx, s, v, value)
}

func (o *sender) add(ctx context.Context, s sendFlags, v recordView, value []byte) error {
	m := leat.Message{Topic: v.Topic, Key: v.key(), Data: value, Headers: v.headers()}
	framed, err := o.a.frame(ctx, &s, &v)
	if err != nil {
		return err
	}
	if framed != nil {
		m.Data = framed
	}
	if !s.raw && v.Type != "" {
		m.ID, m.Type, m.Source, m.Subject, m.ContentType = v.ID, v.Type, v.Source, v.Subject, v.ContentType
		m.CorrelationID, m.CausationID, m.DataSchema = v.CorrelationID, v.CausationID, v.DataSchema
		if err := o.a.complete(&m, v, framed != nil); err != nil {
			return err
		}
	}
	if err := o.a.frameKey(ctx, &s, &v, &m); err != nil {
		return err
	}
	o.batch = append(o.batch, m)
	if len(o.batch) < sendBatch {
		return nil
	}
	return o.flush(ctx)
}

// frame encodes the data by the schema that flags or record name; nil: they name none.
func (a *app) frame(ctx context.Context, s *sendFlags, v *recordView) (data []byte, err error) {
	frame := schema.Frame{ID: v.SchemaID}
	var header []byte
	switch {
	case s.schema != "":
		if frame, err = a.named(ctx, s.schema); err != nil {
			return nil, err
		}
	case v.SchemaGUID != "":
		if header, err = v.schemaHeader(schema.HeaderValueSchema); err != nil {
			return nil, err
		}
	case v.SchemaID == 0:
		return nil, nil
	}
	if v.Data == nil {
		return nil, errors.New("data that a schema encodes must be JSON")
	}
	data, v.ContentType, err = a.codec.FromJSON(ctx, frame, header, cmp.Or(s.message, v.Message), v.Data)
	return data, err
}

// frameKey encodes the key where flags or record name a schema, or the event's topic does.
func (a *app) frameKey(ctx context.Context, s *sendFlags, v *recordView, m *leat.Message) (err error) {
	frame := schema.Frame{ID: v.KeySchemaID}
	var header []byte
	switch {
	case m.Key == nil:
		return nil
	case s.keySchema != "":
		if frame, err = a.named(ctx, s.keySchema); err != nil {
			return err
		}
	case v.KeySchemaGUID != "":
		if header, err = v.schemaHeader(schema.HeaderKeySchema); err != nil {
			return err
		}
	case v.KeySchemaID == 0:
		return a.frameKnownKey(m)
	}
	m.Key, err = a.codec.KeyFromText(ctx, frame, header, string(m.Key))
	return err
}

func (a *app) frameKnownKey(m *leat.Message) error {
	known := a.kind(m.Type)
	if known == nil || known.kind.KeyEncoding == "" {
		return nil
	}
	if !a.registry {
		a.sayOnce("the key of %s is sent as text: its topic has keys in %s, and no registry is set (--registry)", m.Type, known.kind.KeyEncoding)
		return nil
	}
	kind := known.kind
	kind.Topic = m.Topic
	return a.codec.EncodeKey(m, &kind)
}

// named is the frame of SUBJECT, its latest version, or SUBJECT:VERSION.
func (a *app) named(ctx context.Context, subject string) (schema.Frame, error) {
	version := -1
	if i := strings.LastIndexByte(subject, ':'); i > 0 {
		if n, err := strconv.Atoi(subject[i+1:]); err == nil {
			subject, version = subject[:i], n
		}
	}
	return a.codec.Latest(ctx, subject, version)
}

// schemaHeader is the header that carries the schema's GUID.
func (v *recordView) schemaHeader(name string) (value []byte, err error) {
	for _, h := range v.headers() {
		if h.Key == name {
			value = h.Value
		}
	}
	if value == nil {
		err = fmt.Errorf("a record with a schema's GUID, and without the header %s that says it", name)
	}
	return value, err
}

// complete gives an event what every event has, and checks its data where its type is known and it
// is not encoded by a schema.
func (a *app) complete(m *leat.Message, v recordView, framed bool) error {
	if m.ID == "" {
		m.ID = leat.NewID()
	}
	m.Time = time.Now().UTC()
	if v.Time != "" {
		at, err := time.Parse(time.RFC3339Nano, v.Time)
		if err != nil {
			return fmt.Errorf("time %q: want RFC 3339, for example 2026-01-31T12:00:00Z", v.Time)
		}
		m.Time = at.UTC()
	}
	if known := a.kind(m.Type); known != nil && m.Data != nil && !framed {
		event, key, err := known.check(m.Data)
		if err == nil && a.registry {
			err = known.encode(m, a.codec, event)
		} else if err == nil && known.encoded() {
			a.sayOnce("%s is sent as plain JSON: its service writes %s, and no registry is set (--registry)", m.Type, known.kind.Encoding)
		}
		if err != nil {
			return err
		}
		if m.Key == nil && key != "" {
			m.Key = []byte(key)
		}
	}
	if m.Subject == "" {
		m.Subject = string(m.Key)
	}
	if m.CorrelationID == "" {
		m.CorrelationID = m.ID
	}
	return nil
}

func (o *sender) flush(ctx context.Context) error {
	if len(o.batch) == 0 {
		return nil
	}
	batch := o.batch
	o.batch = nil
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	at, err := o.client.SendEach(ctx, batch)
	for i, p := range at {
		if p.Offset < 0 {
			continue
		}
		o.sent.add(1)
		if werr := o.show(sentView{p.Topic, p.Partition, p.Offset, batch[i].ID}); werr != nil {
			return errors.Join(err, werr)
		}
	}
	return err
}

// sendTimeout bounds the wait for the acknowledgement of one batch.
const sendTimeout = 30 * time.Second

func (o *sender) show(v sentView) error {
	switch o.a.output {
	case formJSON:
		o.all = append(o.all, v)
		return nil
	case formLines:
		return writeLine(o.a.cfg.Stdout, v)
	}
	_, err := fmt.Fprintf(o.a.cfg.Stdout, "%s/%d@%d\n", v.Topic, v.Partition, v.Offset)
	return err
}

// end sends what is left, and writes the one document that -o json asks for.
func (o *sender) end(ctx context.Context) error {
	err := o.flush(ctx)
	if o.a.output == formJSON {
		err = errors.Join(err, writeJSON(o.a.cfg.Stdout, o.all))
	}
	return err
}
