import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hold, waitFor } from '@millrace/testing'
import { ROOT } from '../lib/repository.js'
import { type OutageStack, startOutageStack } from './outage-stack.js'
import { withTables } from './render-table.js'
import { OutageRun, shortCells } from './run-outages.js'

/*
 * The short form of `npm run chaos -- --only outages`: real servers and services on one stack, with a proxy in front of each dependency. A cell breaks one
 * of them and compares what every route does with the table, and then repairs it.
 */

const say = (line: string) => void process.stderr.write(`outages: ${line}\n`)

describe('a stack with a dependency that fails', () => {
  let outages: OutageStack
  let run: OutageRun
  let stop: () => Promise<void>
  beforeAll(async () => {
    outages = await startOutageStack(() => undefined)
    stop = hold('stack with proxies', outages.stop)
    run = new OutageRun(outages, say)
    await run.warmUp()
  })
  afterAll(() => stop?.())

  it.each(shortCells().map((cell) => ({ ...cell, names: cell.dependencies.join(', ') })))(
    'answers every route as docs/operations/outages.md says, loses no event and recovers without a restart ($names: $fault)',
    async ({ dependencies, fault }) => {
      expect(await run.run({ dependencies, fault })).toEqual([])
    },
  )

  it('ends every service in order on SIGTERM while a Redis server is frozen', async () => {
    expect(await run.restart('stream Redis')).toEqual([])
  })

  it('ends every service in order on SIGTERM while PostgreSQL is frozen, and a service that starts meanwhile says what it waits for', async () => {
    const gateway = outages.stack.services.find(({ instance }) => instance.entry.name === 'ingest-gateway')
    const waits = 'PostgreSQL (DATABASE_URL) cannot be reached or does not answer; the start waits for it'
    const isWaiting = () => waitFor(() => gateway?.server.tail().includes(waits), { deadlineMs: 60_000 })
    expect(await run.restart('PostgreSQL', isWaiting)).toEqual([])
  })
})

describe('the document about outages', () => {
  it('has the tables that the tests check', () => {
    const document = readFileSync(join(ROOT, 'docs/operations/outages.md'), 'utf8')
    // If this fails after a change of outage-table.ts: node bench/dist/outages/write-document.js
    expect(document).toBe(withTables(document))
  })
})
