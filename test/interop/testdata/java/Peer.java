// Writes and reads by what there is for Java: Peer.java LEAT APICURIO, the URLs of leat's registry and of
// Apicurio's own API. A question and an answer per line, as peer_test.go has them.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import io.apicurio.registry.resolver.ParsedSchema;
import io.apicurio.registry.resolver.ParsedSchemaImpl;
import io.apicurio.registry.resolver.SchemaLookupResult;
import io.apicurio.registry.resolver.SchemaParser;
import io.apicurio.registry.resolver.SchemaResolver;
import io.apicurio.registry.resolver.data.Record;
import io.apicurio.registry.resolver.strategy.ArtifactReference;
import io.apicurio.registry.resolver.strategy.ArtifactReferenceResolverStrategy;
import io.apicurio.registry.rest.client.RegistryClient;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.data.KafkaSerdeMetadata;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.formats.avro.registry.confluent.ConfluentSchemaRegistryCoder;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

public class Peer {
  static final ObjectMapper JSON = new ObjectMapper();
  static String leat, apicurio;

  public static void main(String[] args) throws Exception {
    leat = args[0];
    apicurio = args[1];
    var in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    var out = new java.io.PrintStream(System.out, true, "UTF-8");
    for (String line; (line = in.readLine()) != null; ) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        JsonNode q = JSON.readTree(line);
        switch (q.get("do").asText()) {
          case "write" -> answer.put("data", write(q));
          case "read" -> answer.set("value", read(q));
          default -> answer.set("value", JSON.valueToTree(Flink.judge(q.get("schema").asText(), q.get("value").asText())));
        }
      } catch (Throwable e) {
        e.printStackTrace();
        answer.put("error", e.toString());
      }
      out.println(JSON.writeValueAsString(answer));
    }
  }

  static byte[] write(JsonNode q) throws Exception {
    String topic = q.get("topic").asText(), type = q.get("type").asText();
    if (q.get("via").asText().equals("flink")) {
      Schema schema = new Schema.Parser().parse(q.get("schema").asText());
      return Flink.write(topic, schema, toAvro(schema, q.get("value")));
    }
    Object value;
    Serializer<Object> s;
    switch (type) {
      case "AVRO" -> {
        value = toAvro(new Schema.Parser().parse(q.get("schema").asText()), q.get("value"));
        s = serde(new AvroKafkaSerializer<>(), q);
      }
      case "JSON" -> {
        value = q.get("value");
        s = serde(new JsonSchemaKafkaSerializer<>(), q);
      }
      default -> {
        value = message(q);
        s = (Serializer<Object>) (Serializer<?>) serde(new ProtobufKafkaSerializer<DynamicMessage>(), q);
      }
    }
    return s.serialize(topic, value);
  }

  static JsonNode read(JsonNode q) throws Exception {
    String topic = q.get("topic").asText();
    byte[] data = q.get("data").binaryValue();
    if (q.get("via").asText().equals("flink")) {
      return fromAvro(Flink.read(topic, data));
    }
    if (q.get("type").asText().equals("AVRO")) {
      return fromAvro(serde(new AvroKafkaDeserializer<>(), q).deserialize(topic, data));
    }
    return JSON.valueToTree(serde(new JsonSchemaKafkaDeserializer<>(), q).deserialize(topic, data));
  }

  static Map<String, Object> config(JsonNode q) {
    Map<String, Object> c = new HashMap<>();
    c.put("apicurio.registry.as-confluent", true);
    c.put("apicurio.registry.use-id", "contentId");
    c.put("apicurio.registry.headers.enabled", false);
    c.put("apicurio.registry.auto-register", true);
    if (q.get("via").asText().equals("apicurio")) {
      c.put("apicurio.registry.schema-resolver", Resolver.class);
      c.put("schema", q.path("schema").asText());
      return c;
    }
    c.put("apicurio.registry.url", apicurio);
    if (q.get("type").asText().equals("JSON")) { // its schema is found by name
      c.put("apicurio.registry.artifact.artifact-id", q.get("topic").asText() + "-value");
      c.put("apicurio.registry.auto-register", false);
      c.put("apicurio.registry.find-latest", true);
    }
    return c;
  }

  static <S extends Serializer<?>> S serde(S s, JsonNode q) {
    s.configure(config(q), false);
    return s;
  }

  static <D extends Deserializer<?>> D serde(D d, JsonNode q) {
    d.configure(config(q), false);
    return d;
  }

  static DynamicMessage message(JsonNode q) throws Exception {
    List<FileDescriptor> files = new ArrayList<>();
    for (JsonNode data : q.get("files")) {
      files.add(FileDescriptor.buildFrom(FileDescriptorProto.parseFrom(data.binaryValue()), files.toArray(new FileDescriptor[0]), true));
    }
    String name = q.get("message").asText();
    Descriptor d = files.get(files.size() - 1).findMessageTypeByName(name.substring(name.lastIndexOf('.') + 1));
    DynamicMessage.Builder b = DynamicMessage.newBuilder(d);
    JsonFormat.parser().merge(q.get("value").toString(), b);
    return b.build();
  }

  // A value as peer_test.go has it, by its schema.
  static Object toAvro(Schema s, JsonNode v) {
    String logical = s.getProp("logicalType");
    switch (s.getType()) {
      case RECORD -> {
        GenericRecord r = new GenericData.Record(s);
        for (Schema.Field f : s.getFields()) {
          r.put(f.pos(), v.has(f.name()) ? toAvro(f.schema(), v.get(f.name())) : GenericData.get().getDefaultValue(f));
        }
        return r;
      }
      case ARRAY -> {
        List<Object> all = new ArrayList<>();
        v.forEach(e -> all.add(toAvro(s.getElementType(), e)));
        return all;
      }
      case MAP -> {
        Map<String, Object> all = new HashMap<>();
        v.fields().forEachRemaining(e -> all.put(e.getKey(), toAvro(s.getValueType(), e.getValue())));
        return all;
      }
      case UNION -> {
        for (Schema branch : s.getTypes()) {
          if (branch.getType() == Schema.Type.NULL ? v.isNull() : branch.getType() != Schema.Type.RECORD && !v.isNull()) {
            return toAvro(branch, v);
          }
          if (branch.getType() == Schema.Type.RECORD && v.has(branch.getFullName())) {
            return toAvro(branch, v.get(branch.getFullName()));
          }
        }
        throw new IllegalArgumentException(v + " is none of " + s);
      }
      case ENUM -> {
        return new GenericData.EnumSymbol(s, v.asText());
      }
      case BYTES -> {
        byte[] b = v.has("$decimal") ? new BigDecimal(v.get("$decimal").asText()).unscaledValue().toByteArray() : Base64.getDecoder().decode(v.get("$bytes").asText());
        return ByteBuffer.wrap(b);
      }
      case LONG -> {
        long n = v.has("$micros") ? v.get("$micros").asLong() : v.asLong();
        return "timestamp-millis".equals(logical) ? n / 1000 : n;
      }
      case INT -> {
        return v.asInt();
      }
      case DOUBLE -> {
        return v.asDouble();
      }
      case BOOLEAN -> {
        return v.asBoolean();
      }
      case NULL -> {
        return null;
      }
      default -> {
        return v.asText();
      }
    }
  }

  static JsonNode fromAvro(Object o) {
    GenericRecord r = (GenericRecord) o;
    return fromAvro(r.getSchema(), r);
  }

  static JsonNode fromAvro(Schema s, Object v) {
    String logical = s.getProp("logicalType");
    switch (s.getType()) {
      case RECORD -> {
        ObjectNode o = JSON.createObjectNode();
        for (Schema.Field f : s.getFields()) {
          o.set(f.name(), fromAvro(f.schema(), ((GenericRecord) v).get(f.pos())));
        }
        return o;
      }
      case ARRAY -> {
        ArrayNode a = JSON.createArrayNode();
        ((List<?>) v).forEach(e -> a.add(fromAvro(s.getElementType(), e)));
        return a;
      }
      case MAP -> {
        ObjectNode o = JSON.createObjectNode();
        ((Map<?, ?>) v).forEach((k, e) -> o.set(k.toString(), fromAvro(s.getValueType(), e)));
        return o;
      }
      case UNION -> {
        Schema branch = s.getTypes().get(GenericData.get().resolveUnion(s, v));
        JsonNode n = fromAvro(branch, v);
        return branch.getType() == Schema.Type.RECORD ? JSON.createObjectNode().set(branch.getFullName(), n) : n;
      }
      case BYTES -> {
        byte[] b = new byte[((ByteBuffer) v).remaining()];
        ((ByteBuffer) v).duplicate().get(b);
        ObjectNode o = JSON.createObjectNode();
        if (!"decimal".equals(logical)) {
          return o.put("$bytes", Base64.getEncoder().encodeToString(b));
        }
        int scale = ((Number) s.getObjectProp("scale")).intValue();
        return o.put("$decimal", new BigDecimal(new BigInteger(b), scale).toPlainString());
      }
      case LONG -> {
        return logical == null ? JSON.valueToTree(v) : JSON.createObjectNode().put("$micros", (Long) v * ("timestamp-millis".equals(logical) ? 1000 : 1));
      }
      case ENUM, STRING -> {
        return JSON.valueToTree(v.toString());
      }
      default -> {
        return JSON.valueToTree(v);
      }
    }
  }

  // Resolver stands between Apicurio's serializers and a registry that speaks the API of Confluent's.
  public static class Resolver<S, T> implements SchemaResolver<S, T> {
    SchemaParser<S, T> parser;
    String text;

    public void configure(Map<String, ?> c, SchemaParser<S, T> p) {
      parser = p;
      text = (String) c.get("schema");
    }

    public SchemaLookupResult<S> resolveSchema(Record<T> r) {
      ParsedSchema<S> schema = parser.supportsExtractSchemaFromData() ? parser.getSchemaFromData(r, true) : parse(text.getBytes());
      ObjectNode body = JSON.createObjectNode().put("schemaType", parser.artifactType()).put("schema", new String(schema.getRawSchema()));
      String subject = ((KafkaSerdeMetadata) r.metadata()).getTopic() + "-value";
      return found(ask("POST", "/subjects/" + subject + "/versions", body.toString()).get("id").asLong(), schema);
    }

    public SchemaLookupResult<S> resolveSchemaByArtifactReference(ArtifactReference ref) {
      return found(ref.getContentId(), parse(ask("GET", "/schemas/ids/" + ref.getContentId(), "").get("schema").asText().getBytes()));
    }

    SchemaLookupResult<S> found(long id, ParsedSchema<S> schema) {
      return SchemaLookupResult.<S>builder().contentId(id).globalId(id).parsedSchema(schema).build();
    }

    ParsedSchema<S> parse(byte[] raw) {
      return new ParsedSchemaImpl<S>().setRawSchema(raw).setParsedSchema(parser.parseSchema(raw, Map.of()));
    }

    static JsonNode ask(String method, String path, String body) {
      try {
        HttpRequest r = HttpRequest.newBuilder(URI.create(leat + path)).header("Content-Type", "application/vnd.schemaregistry.v1+json").method(method, HttpRequest.BodyPublishers.ofString(body)).build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(r, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
          throw new IllegalStateException(answer.statusCode() + " " + answer.body());
        }
        return JSON.readTree(answer.body());
      } catch (IOException | InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    public SchemaParser<S, T> getSchemaParser() { return parser; }

    public void setClient(RegistryClient c) {}

    public void setArtifactResolverStrategy(ArtifactReferenceResolverStrategy<S, T> s) {}

    public void reset() {}

    public void close() {}
  }

  // Flink has Confluent's client and its own Avro in one jar; the values change from one Avro to the other.
  static class Flink {
    // What Confluent's engine has against a schema that is to follow another.
    static List<String> judge(String next, String old) {
      return new AvroSchema(next).isBackwardCompatible(new AvroSchema(old)).stream().map(m -> m.replaceFirst("%s", "new").replaceFirst("%s", "old")).toList();
    }

    static ConfluentSchemaRegistryCoder coder(String topic) {
      return new ConfluentSchemaRegistryCoder(topic + "-value", new CachedSchemaRegistryClient(leat, 100));
    }

    static byte[] write(String topic, Schema schema, Object value) throws IOException {
      var out = new ByteArrayOutputStream();
      coder(topic).writeSchema(new org.apache.flink.avro.shaded.org.apache.avro.Schema.Parser().parse(schema.toString()), out);
      BinaryEncoder e = EncoderFactory.get().binaryEncoder(out, null);
      new GenericDatumWriter<>(schema).write(value, e);
      e.flush();
      return out.toByteArray();
    }

    static Object read(String topic, byte[] data) throws IOException {
      var in = new ByteArrayInputStream(data);
      Schema schema = new Schema.Parser().parse(coder(topic).readSchema(in).toString());
      return new GenericDatumReader<>(schema).read(null, DecoderFactory.get().directBinaryDecoder(in, null));
    }
  }
}
