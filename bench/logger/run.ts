// npm run bench -- logger: what a log call costs its caller, and lines delivered and acknowledged a second, beside winston and pino; see README.md beside this file.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { removeTemporary, temporaryDirectory } from '@millrace/local-stack'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { type ContestantFigures, contestantNames } from './contestants.js'

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string' },
  },
})
const CONTESTANT = fileURLToPath(new URL('./contestant.js', import.meta.url))
const lines = Number(values.lines)

interface Row {
  readonly contestant: string
  readonly caller_ns: number | undefined
  readonly cpu_us: number | undefined
  readonly delivered_per_s: number | undefined
  readonly acknowledged_per_s: number | undefined
  readonly lost: number
  readonly leaks: number
}

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const directory = temporaryDirectory('millrace-logger-')
const receiver = await startReceiver()
const rows: Row[] = []
try {
  for (const contestant of contestantNames) rows.push(await measureBest(contestant))
} finally {
  receiver.server.close()
  receiver.server.closeAllConnections()
  removeTemporary(directory)
}
printTable(rows)
const of = (name: string) => rows.find(({ contestant }) => contestant === name)
const [ours, winston, pino] = [of('this logger'), of('winston, masked'), of('pino, redaction')]
writeResult('logger', {
  machine,
  lines,
  rows,
  result: {
    caller_ns: ours?.caller_ns,
    delivered_per_s: ours?.delivered_per_s,
    acknowledged_per_s: of('this logger to log-shipper')?.acknowledged_per_s,
    lost: rows.reduce((sum, row) => sum + (row.contestant.startsWith('this logger') ? row.lost : 0), 0),
    ratio_to_winston: round((ours?.caller_ns ?? 0) / (winston?.caller_ns ?? 0), 3),
    ratio_to_pino: round((ours?.caller_ns ?? 0) / (pino?.caller_ns ?? 0), 3),
  },
})

/** The round with the lowest cost for the caller: others on the machine only add to it. */
async function measureBest(contestant: string): Promise<Row> {
  let best: Row | undefined
  for (let i = 0; i < Number(values.rounds); i++) {
    const row = await measure(contestant)
    if (best === undefined || (row.caller_ns ?? 0) < (best.caller_ns ?? 0)) best = row
  }
  return best as Row
}

async function measure(contestant: string): Promise<Row> {
  receiver.reset()
  const file = join(directory, 'lines.ndjson')
  const output = openSync(file, 'w')
  const figures = await runContestant(contestant, output)
  closeSync(output)
  const text = readFileSync(file, 'utf8')
  rmSync(file)
  const isShipped = contestant.endsWith('log-shipper') || contestant.endsWith('HTTP')
  const counted = isShipped ? receiver.lines() : text.split('\n').filter((line) => line.includes('"measured"')).length
  return {
    contestant,
    caller_ns: round(figures.callerNs),
    cpu_us: round(figures.cpuUs, 2),
    delivered_per_s: isShipped ? undefined : round((counted / figures.elapsedMs) * 1000),
    acknowledged_per_s: isShipped ? round((counted / figures.elapsedMs) * 1000) : undefined,
    lost: lines - counted,
    leaks: isShipped ? receiver.leaks() : countLeaks(text),
  }
}

function countLeaks(text: string): number {
  return text.match(/bob@example\.com|4111 ?1111 ?1111 ?1111|hunter2/g)?.length ?? 0
}

function runContestant(contestant: string, output: number): Promise<ContestantFigures> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CONTESTANT, contestant, String(lines), receiver.url], {
      stdio: ['ignore', output, 'inherit', 'ipc'],
    })
    let figures: ContestantFigures | undefined
    child.on('message', (message) => {
      figures = message as ContestantFigures
    })
    child.on('error', reject)
    child.on('close', (code) =>
      figures === undefined
        ? reject(new Error(`${contestant} ended with code ${code} and no figures`))
        : resolve(figures),
    )
  })
}

/** Takes lines over HTTP and answers when it has counted them, as log-shipper does when it has stored them. */
async function startReceiver() {
  let lines = 0
  let leaks = 0
  const server: Server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      lines += text.split('"measured"').length - 1
      leaks += countLeaks(text)
      // winston's transport knows no answers, so its contestant asks how many lines have arrived.
      res.end(req.method === 'GET' ? String(lines) : '{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines: () => lines,
    leaks: () => leaks,
    reset: () => {
      lines = 0
      leaks = 0
    },
  }
}
