// Writes and reads by @kafkajs/confluent-schema-registry: peer.js MODULES REGISTRY. A question and an
// answer per line, as peer_test.go has them.
const { createRequire } = require('module')
const load = createRequire(process.argv[2] + '/')
const { SchemaRegistry, SchemaType } = load('@kafkajs/confluent-schema-registry')
const avro = load('avsc')

class Timestamp extends avro.types.LogicalType {
  constructor(schema, opts) {
    super(schema, opts)
    this.micros = schema.logicalType === 'timestamp-millis' ? 1000 : 1
  }
  _fromValue(n) { return { $micros: n * this.micros } }
  _toValue(v) { return v.$micros / this.micros }
}

class Decimal extends avro.types.LogicalType {
  constructor(schema, opts) {
    super(schema, opts)
    this.scale = schema.scale
  }
  _fromValue(bytes) {
    const n = BigInt.asIntN(8 * bytes.length, BigInt('0x' + bytes.toString('hex')))
    const digits = (n < 0n ? -n : n).toString().padStart(this.scale + 1, '0')
    return { $decimal: (n < 0n ? '-' : '') + digits.slice(0, -this.scale) + '.' + digits.slice(-this.scale) }
  }
  _toValue(v) {
    const n = BigInt(v.$decimal.replace('.', ''))
    let size = 1
    while (BigInt.asIntN(8 * size, n) !== n) size++
    return Buffer.from(BigInt.asUintN(8 * size, n).toString(16).padStart(2 * size, '0'), 'hex')
  }
}

const bytes = v => v && v.$bytes !== undefined ? Buffer.from(v.$bytes, 'base64') : v

const walk = (v, f) => {
  v = f(v)
  if (Array.isArray(v)) return v.map(e => walk(e, f))
  if (v === null || typeof v !== 'object' || Buffer.isBuffer(v)) return v
  return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, walk(e, f)]))
}

// JSON.stringify asks a Buffer for itself before it asks anyone else.
Buffer.prototype.toJSON = function () { return { $bytes: this.toString('base64') } }

const registryFor = q => new SchemaRegistry({ host: process.argv[3] }, {
  [SchemaType.AVRO]: { logicalTypes: { 'timestamp-millis': Timestamp, 'timestamp-micros': Timestamp, decimal: Decimal } },
  [SchemaType.JSON]: { formats: { 'date-time': true } },
  [SchemaType.PROTOBUF]: { messageName: q.message && q.message.split('.').pop() },
})

const ask = {
  async write(q) {
    const registry = registryFor(q)
    const { id } = await registry.register({ type: q.type, schema: q.schema }, { subject: q.topic + '-value' })
    const data = await registry.encode(id, q.type === 'AVRO' ? walk(q.value, bytes) : q.value)
    return { data: data.toString('base64') }
  },
  async read(q) {
    const registry = registryFor(q)
    let value = await registry.decode(Buffer.from(q.data, 'base64'))
    if (q.type === 'PROTOBUF') value = value.constructor.toObject(value, { longs: String, enums: String, bytes: String })
    return { value }
  },
}

async function main() {
  const lines = require('readline').createInterface({ input: process.stdin })
  for await (const line of lines) {
    const q = JSON.parse(line)
    const answer = await ask[q.do](q).catch(e => ({ error: `${e.name}: ${e.message} ${JSON.stringify(e.paths || '')}` }))
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
}

main()
