import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { LogServiceClient } from '@millrace/contracts'
import type { Calls } from '@millrace/service'
import { freePort, waitFor } from '@millrace/testing'
import { openLogService, SEARCH_ALL } from '../open-log-service.js'
import { startShipper, type TestShipper } from '../start-shipper.js'
import { DIFFICULT_VALUES, type DifficultValue, type FoundLine } from './values.js'
import { FIDELITY_WIRES, type FidelityWire, InexpressibleError, type Target } from './wires.js'

const PAGE = fileURLToPath(new URL('../../../../docs/reference/fidelity.md', import.meta.url))
/** `npm run check -- fidelity --write` sets it. */
const IS_WRITTEN = process.env.MILLRACE_FIDELITY_WRITE === '1'
/** A line that was sent without an acknowledgement and is not found by then is lost. */
const FOUND_MS = 180_000

describe('difficult values', () => {
  let shipper: TestShipper
  let target: Target
  let logs: Calls<typeof LogServiceClient.service>
  let closeClient: () => void | Promise<void>

  beforeAll(async () => {
    const ports = {
      grpc: await freePort(),
      forward: await freePort(),
      syslog: await freePort(),
      gelf: await freePort(),
    }
    shipper = await startShipper((key) => ({
      OTLP_GRPC_PORT: String(ports.grpc),
      FORWARD_API_KEYS: key,
      FORWARD_PORT: String(ports.forward),
      FORWARD_HANDSHAKE: 'false',
      SYSLOG_API_KEY: key,
      SYSLOG_PORT: String(ports.syslog),
      GELF_API_KEY: key,
      GELF_PORT: String(ports.gelf),
    }))
    target = { origin: shipper.origin, key: shipper.key, ports }
    const [client, close] = openLogService(shipper.grpcPort)
    logs = client
    closeClient = close
  })
  afterAll(async () => {
    await closeClient?.()
    await shipper?.stop()
  })

  async function find(service: string): Promise<FoundLine | undefined> {
    const page = await logs.searchLogs({ ...SEARCH_ALL, services: [service] }, { tenant: '1', caller: 'test' })
    const [line] = page.linesJson.map((text) => JSON.parse(text) as FoundLine)
    // Syslog has a place of its own for them.
    const data = line?.attributes['syslog.structured_data'] as Record<string, Record<string, unknown>> | undefined
    return line === undefined || data === undefined
      ? line
      : { ...line, attributes: { ...line.attributes, ...data['fidelity@1'] } }
  }

  /** By the client when it can be given the value; also as bytes when the client does not deliver it as it is. */
  async function tryValue(wire: FidelityWire, value: DifficultValue, service: string): Promise<string[]> {
    const rows: string[] = []
    const { byClient, client = '' } = wire
    const given = value.js
    if (byClient !== undefined && given !== undefined) {
      const result = await settle(() => byClient(given, service, target), value, service)
      if (result !== undefined) rows.push(`| ${wire.name} | ${client} | ${result} |`)
      if (result === 'kept') return rows
    }
    const result = await settle(() => wire.asBytes(value, `${service}-bytes`, target), value, `${service}-bytes`)
    if (result !== undefined) rows.push(`| ${wire.name} | bytes | ${result} |`)
    return rows.length > 0 ? rows : [`| ${wire.name} | | cannot be expressed |`]
  }

  /** What became of a value; undefined when it could not be sent. */
  async function settle(
    send: () => Promise<void> | undefined,
    value: DifficultValue,
    service: string,
  ): Promise<string | undefined> {
    try {
      const sending = send()
      if (sending === undefined) return undefined
      await sending
    } catch (error) {
      if (error instanceof InexpressibleError) return undefined
      return `refused: ${(error as Error).message.split('\n', 1)[0]?.replace(/ 127\.0\.0\.1:\d+/, '')}`
    }
    let line: FoundLine | undefined
    const isFound = async () => {
      line = await find(service)
      return line !== undefined
    }
    await waitFor(isFound, { deadlineMs: FOUND_MS }).catch(() => {})
    return line === undefined ? 'lost' : value.judge(line)
  }

  it('come back from a search as docs/reference/fidelity.md says, by each wire', async () => {
    const sections = await Promise.all(
      DIFFICULT_VALUES.map(async (value, row) => {
        const rows: string[] = []
        for (const [column, wire] of FIDELITY_WIRES.entries())
          rows.push(...(await tryValue(wire, value, `fidelity-${row}-${column}`)))
        return `## ${value.title}\n\n| wire | sent by | result |\n| --- | --- | --- |\n${rows.join('\n')}\n`
      }),
    )
    const page = `${INTRODUCTION}\n${sections.join('\n')}`
    if (IS_WRITTEN) writeFileSync(PAGE, page)
    expect(existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '').toBe(page)
  })
})

const INTRODUCTION = `# What becomes of difficult values

Each value was sent by each wire of log-shipper and read back by a search. \`npm run check -- fidelity\` does it again and compares the results with this page; with \`--write\` it
writes the page. "Sent by" names the client, unmodified, or says that bytes were sent: where the wire has no client here, or the client
cannot be given the value, or does not send it unchanged. What a client changes before it sends counts as a change. A line without an answer that is not found is lost.
`
