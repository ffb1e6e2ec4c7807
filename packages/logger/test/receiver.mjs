// node receiver.mjs PORT FILE STATUS: prints its port, appends received lines with the key of their request to FILE, then answers.
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, file, status] = process.argv.slice(2)
const server = createServer((req, res) => {
  const chunks = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => {
    res.statusCode = Number(status)
    const lines = Buffer.concat(chunks).toString().split('\n').filter(Boolean)
    const records = lines.map((line) => `${JSON.stringify({ ...JSON.parse(line), key: req.headers.authorization })}\n`)
    if (res.statusCode === 200 && req.url === '/v1/logs/ndjson') appendFileSync(file, records.join(''))
    res.end(JSON.stringify({ accepted: lines.length, rejected: [] }))
  })
})
server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
