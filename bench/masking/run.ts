// npm run bench -- masking: how much of a truth set is masked, how many random values are masked by mistake, and what a line costs; see README.md beside this file.
import { parseArgs } from 'node:util'
import { createMasker } from '@millrace/masking'
import { measureRates } from '@millrace/masking/testing'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'

const { values } = parseArgs({
  options: {
    values: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '30' },
    seconds: { type: 'string' },
  },
})

const LINES = [
  '{"ts":"2026-11-28T00:00:00.015Z","level":"warn","service":"checkout","host":"checkout-15686-1b064","msg":"finished cache id=781913037 segment=1135 host=users-abc7a-12c75","user_id":"u_344244","http.status":200,"duration_ms":94}',
  '{"ts":"2026-11-28T00:00:13.386Z","level":"info","service":"notify","host":"notify-c8d83-203d4","msg":"job c56a4180-65aa-42ec-a945-5fd21dec0538 finished in 12 ms","trace_id":"f526c5073c718091fe2ec4ab46c3284a","span_id":"cfa50acef8c83aee"}',
  '{"ts":"2026-11-28T00:00:18.892Z","level":"info","service":"orders","host":"orders-856fd-aa227","msg":"GET /api/v3/tenants/491339 200 5.73ms 48122B","http.status":200,"duration_ms":5.73,"client":"192.168.17.4"}',
]
const DIRTY = LINES.map((line) => line.replace('"msg":"', '"msg":"bob@example.com paid with 4111 1111 1111 1111: '))

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const masker = createMasker()
const rates = measureRates(masker, Number(values.values))
for (const { rule, text } of rates.missed) say(`missed ${rule}: ${text}`)
for (const text of rates.falsePositives) say(`masked by mistake: ${text}`)
printTable(rates.detection)
say('')
const random = rates.random.map(({ kind, masked, of }) => ({ kind, masked_percent: round((100 * masked) / of, 2) }))
printTable(random)
const lines = {
  clean_line_us: round(microsecondsOf(LINES), 3),
  dirty_line_us: round(microsecondsOf(DIRTY), 3),
  line_bytes: Math.round(LINES.join('').length / LINES.length),
}
writeResult('masking', {
  machine,
  detection: rates.detection,
  random,
  result: {
    found: rates.detection.reduce((sum, { found }) => sum + found, 0),
    of: rates.detection.reduce((sum, { of }) => sum + of, 0),
    false_positives: rates.falsePositives.length,
    negatives: rates.negatives,
    ...lines,
  },
})

/** Processor time of a line, of the best round. */
function microsecondsOf(texts: readonly string[]): number {
  const bytes = Array.from({ length: 9_999 }, (_, i) => Buffer.from(texts[i % texts.length] as string))
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < Number(values.rounds); round++) {
    const before = process.cpuUsage()
    for (const line of bytes) masker.bytes(line)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / bytes.length)
  }
  return best
}
