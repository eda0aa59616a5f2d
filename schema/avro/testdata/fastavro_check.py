# Reads data by fastavro, compares what it is with the JSON that leat shows of it, and writes it anew.
# One case per line: {"schema": ..., "data": hex, "doc": ...}; one answer per line: hex, or "!" and why.
import base64
import datetime
import decimal
import io
import json
import math
import struct
import sys
import uuid

import fastavro


def same(v, d):
    if isinstance(d, dict) and len(d) == 1 and not (isinstance(v, dict) and v.keys() == d.keys()):
        (d,) = d.values()  # a branch that is named
    if isinstance(v, dict):
        return isinstance(d, dict) and v.keys() == d.keys() and all(same(v[k], d[k]) for k in v)
    if isinstance(v, list):
        return isinstance(d, list) and len(v) == len(d) and all(map(same, v, d))
    if isinstance(v, datetime.datetime):
        return datetime.datetime.fromisoformat(d) == v
    if isinstance(v, datetime.date):
        return datetime.date.fromisoformat(d) == v
    if isinstance(v, decimal.Decimal):
        return isinstance(d, str) and decimal.Decimal(d) == v
    if isinstance(v, uuid.UUID):
        return uuid.UUID(d) == v
    if isinstance(v, bytes):
        return base64.b64decode(d) == v
    if isinstance(v, float) and isinstance(d, str):
        return math.isnan(v) and d == "NaN" or v == float(d)
    if isinstance(v, float) and v != d:
        return v == struct.unpack("<f", struct.pack("<f", d))[0]  # JSON shows as many digits as 32 bits need
    return type(v) is bool and v is d or type(v) is not bool and v == d


def check(case):
    schema = fastavro.parse_schema(case["schema"])
    data = bytes.fromhex(case["data"])
    source = io.BytesIO(data)
    value = fastavro.schemaless_reader(source, schema)
    if source.tell() != len(data):
        return "!%d of %d bytes read" % (source.tell(), len(data))
    if not same(value, case["doc"]):
        return "!%r is not %r" % (value, case["doc"])
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue().hex()


for line in sys.stdin:
    try:
        print(check(json.loads(line)))
    except Exception as e:
        print("!%s: %s" % (type(e).__name__, str(e).replace("\n", " ")))
