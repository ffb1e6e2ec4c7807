// Sends generated events to the HTTP API, in a separate process; its task is its argument (see dataset.ts).
import { readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { printReport, readTask } from '../../lib/json-process.js'
import { WireConnection } from '../../load/wire-connection.js'
import { generateMinutes } from './generate.js'
import type { DatasetState, LoadTask } from './load-task.js'

const BATCH_EVENTS = 400
const CONNECTIONS = 24
/** More than so many accepted events that are not stored yet would only fill Redis. */
const BACKLOG_MAX = 100_000

const task = readTask<LoadTask>()
setPriority(10)
const database = new pg.Client({ connectionString: task.databaseUrl })
await database.connect()
const state = JSON.parse(readFileSync(task.stateFile, 'utf8')) as DatasetState
const wires = Array.from({ length: CONNECTIONS }, () => new WireConnection(task.url))
const head = `POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${Buffer.from(`${task.writeKey}:`).toString('base64')}\r\nContent-Type: application/json\r\n`

let sent = 0
const waiting: string[] = []
let nextNoteMs = Date.now()
for (const events of generateMinutes(task)) {
  for (const { json } of events) waiting.push(json)
  if (waiting.length >= BATCH_EVENTS * CONNECTIONS) await sendAll(waiting.splice(0))
}
await sendAll(waiting)
writeFileSync(task.stateFile, JSON.stringify({ ...state, sent }))
for (const wire of wires) wire.close()
await database.end()
printReport({ sent })

/** What an earlier process was told is stored is only generated again, not sent. */
async function sendAll(events: string[]): Promise<void> {
  sent += events.length
  if (sent <= state.sent) return
  const batches: string[][] = []
  for (let from = 0; from < events.length; from += BATCH_EVENTS) batches.push(events.slice(from, from + BATCH_EVENTS))
  await Promise.all(
    wires.map((wire, index) =>
      sendEach(
        wire,
        batches.filter((_, at) => at % CONNECTIONS === index),
      ),
    ),
  )
  if (Date.now() < nextNoteMs) return
  nextNoteMs = Date.now() + 5_000
  process.stderr.write(`${sent} events sent\n`)
  while (sent - (await consumed()) > BACKLOG_MAX) await delay(100)
  // Not the ones of this round: they are acknowledged, but it costs nothing to send them again and be sure.
  writeFileSync(task.stateFile, JSON.stringify({ ...state, sent: sent - events.length }))
}

async function sendEach(wire: WireConnection, batches: string[][]): Promise<void> {
  for (const batch of batches) {
    const body = Buffer.from(`{"batch":[${batch.join(',')}]}`)
    const request = Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body])
    for (let pauseMs = 50; ; pauseMs = Math.min(2_000, pauseMs * 2)) {
      const answer = await wire.send(request, 60_000).catch((error: Error) => ({ status: 503, body: error.message }))
      if (answer.status === 200 && answer.body.includes('"rejected":[]')) break
      if (![429, 500, 502, 503, 504].includes(answer.status))
        throw new Error(`${answer.status}: ${answer.body.slice(0, 500)}`)
      await delay(pauseMs)
    }
  }
}

async function consumed(): Promise<number> {
  const { rows } = await database.query<{ n: number }>(
    `select coalesce(sum(stored + duplicate + dead_lettered), 0)::float8 as n from ledger_consumed where stream = 'events'`,
  )
  return rows[0]?.n ?? 0
}
