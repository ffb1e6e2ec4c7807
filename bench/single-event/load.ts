// Sends single events over keep-alive connections, one request at a time on each, and counts the answers by status.
import { connect } from 'node:net'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    connections: { type: 'string' },
    seconds: { type: 'string' },
    key: { type: 'string', default: '' },
  },
})
const port = Number(values.port)
const WARM_UP_MS = 1500
const MESSAGE_ID = '0193a1b2-7c3d-7e4f-8a5b-000000000000'

let isCounting = false
let answers = 0
let failures = 0
let next = 0
const latencies: number[] = []

function request(user: number): Buffer {
  const body = JSON.stringify({
    type: 'track',
    event: ['Order Completed', 'Product Viewed', 'Signed Up'][user % 3],
    userId: `user-${user}`,
    messageId: MESSAGE_ID,
    timestamp: new Date().toISOString(),
    properties: { value: 12.5, carrier: 'UA', origin: 'SFO', destination: 'JFK', seats: 2 },
    context: { library: { name: 'bench', version: '1' } },
  })
  const head = [
    'POST /v1/track HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    `Authorization: Basic ${Buffer.from(`${values.key}:`).toString('base64')}`,
    'Content-Type: application/json',
    'User-Agent: bench',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    '',
  ]
  return Buffer.from(head.join('\r\n') + body)
}

function drive(user: number): void {
  const bytes = request(user)
  const idAt = bytes.indexOf(MESSAGE_ID) + MESSAGE_ID.length - 12
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let sentAt = 0
  const send = () => {
    bytes.write((next++).toString(16).padStart(12, '0'), idAt, 'latin1')
    sentAt = performance.now()
    socket.write(bytes)
  }
  socket.on('connect', send)
  // Answers of both servers are small enough to come in one piece.
  socket.on('data', (data) => {
    if (isCounting) {
      answers++
      latencies.push(performance.now() - sentAt)
      if (data.toString('latin1', 9, 12) !== '200') failures++
    }
    send()
  })
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
}

for (let user = 0; user < Number(values.connections); user++) drive(user)
setTimeout(() => {
  isCounting = true
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  setTimeout(() => {
    const seconds = (performance.now() - startedAt) / 1000
    const used = process.cpuUsage(cpu)
    latencies.sort((a, b) => a - b)
    const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
    const figures = {
      requests_per_s: answers / seconds,
      failures,
      p50_ms: percentile(0.5),
      p99_ms: percentile(0.99),
      client_cpu: (used.user + used.system) / 1e6 / seconds,
    }
    process.stdout.write(JSON.stringify(figures), () => process.exit(0))
  }, Number(values.seconds) * 1000)
}, WARM_UP_MS)
