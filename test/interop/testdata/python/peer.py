# Writes and reads by confluent-kafka's serializers: peer.py REGISTRY. A question and an answer per line,
# as peer_test.go has them.
import base64
import datetime
import decimal
import json
import sys

from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    header_schema_id_serializer,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
HEADERS = {MessageField.VALUE: "__value_schema_id", MessageField.KEY: "__key_schema_id"}


def from_doc(v):
    if isinstance(v, list):
        return [from_doc(e) for e in v]
    if not isinstance(v, dict):
        return v
    if len(v) == 1:
        ((key, value),) = v.items()
        if key == "$micros":
            return EPOCH + datetime.timedelta(microseconds=value)
        if key == "$decimal":
            return decimal.Decimal(value)
        if key == "$bytes":
            return base64.b64decode(value)
        if "." in key:
            return (key, from_doc(value))
    return {k: from_doc(e) for k, e in v.items()}


def to_doc(v):
    if isinstance(v, list):
        return [to_doc(e) for e in v]
    if isinstance(v, tuple):
        return {v[0]: to_doc(v[1])}
    if isinstance(v, dict):
        return {k: to_doc(e) for k, e in v.items()}
    if isinstance(v, datetime.datetime):
        return {"$micros": (v - EPOCH) // datetime.timedelta(microseconds=1)}
    if isinstance(v, decimal.Decimal):
        return {"$decimal": str(v)}
    if isinstance(v, bytes):
        return {"$bytes": base64.b64encode(v).decode()}
    return v


def message_class(q):
    pool = descriptor_pool.DescriptorPool()
    for data in q["files"]:
        pool.AddSerializedFile(base64.b64decode(data))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(q["message"]))


def serializer(q, registry):
    conf = {"schema.id.serializer": header_schema_id_serializer} if q.get("header") else {}
    if q["type"] == "AVRO":
        return AvroSerializer(registry, q["schema"], conf=conf), from_doc(q["value"])
    if q["type"] == "JSON":
        return JSONSerializer(q["schema"], registry, conf=conf), q["value"]
    message = message_class(q)
    if q.get("found"):  # nothing is registered: the event's own subject has to be there
        conf |= {"subject.name.strategy": topic_record_subject_name_strategy, "auto.register.schemas": False, "use.latest.version": True}
    return ProtobufSerializer(message, registry, conf), json_format.ParseDict(q["value"], message())


def field(q):
    return MessageField.KEY if q.get("key") else MessageField.VALUE


def write(q, registry):
    headers = []
    write, value = serializer(q, registry)
    data = write(value, SerializationContext(q["topic"], field(q), headers))
    answer = {"data": base64.b64encode(data).decode()}
    for key, value in headers:
        assert key == HEADERS[field(q)], key
        answer["schema_id"] = base64.b64encode(value).decode()
    return answer


def read(q, registry):
    headers = [(HEADERS[field(q)], base64.b64decode(q["schema_id"]))] if q.get("schema_id") else []
    data = base64.b64decode(q["data"])
    context = SerializationContext(q["topic"], field(q), headers)
    if q["type"] == "AVRO":
        return {"value": to_doc(AvroDeserializer(registry, q.get("schema"), return_record_name=True)(data, context))}
    if q["type"] == "JSON":
        return {"value": JSONDeserializer(q.get("schema"), schema_registry_client=registry)(data, context)}
    value = ProtobufDeserializer(message_class(q), {}, registry)(data, context)
    return {"value": json_format.MessageToDict(value, preserving_proto_field_name=True)}


def main():
    registry = SchemaRegistryClient({"url": sys.argv[1]})
    for line in sys.stdin:
        q = json.loads(line)
        try:
            answer = {"write": write, "read": read}[q["do"]](q, registry)
        except Exception as e:
            answer = {"error": "%s: %s" % (type(e).__name__, e)}
        print(json.dumps(answer), flush=True)


main()
