import { HOUR_MS } from '@millrace/contracts'
import type { Stack } from '@millrace/local-stack'
import { PLANTED_WORD } from './searches.js'
import type { ShownLine } from './stored-lines.js'
import type { VictoriaLogs } from './victoria-logs.js'
import { WIRES } from './wires.js'

interface PlantOptions {
  readonly stack: Stack
  readonly peer: VictoriaLogs | undefined
  readonly count: number
}

/** Sends lines with a word that no other line has to both servers, one request each, with times of the last hours. Returns their number. */
export async function plantLines({ stack, peer, count }: PlantOptions): Promise<number> {
  const service = stack.services.find(({ instance }) => instance.entry.name === 'log-shipper')
  const own = `http://127.0.0.1:${service?.instance.httpPort}${WIRES.ndjson.path}`
  for (let index = 0; index < count; index++) {
    const line = {
      ts: new Date(Date.now() - index * HOUR_MS).toISOString(),
      level: 'info',
      service: 'cart',
      host: 'cart-1',
      msg: `order ${index} was seen with ${PLANTED_WORD}`,
    }
    const body = `${JSON.stringify(line)}\n`
    await post(own, body, stack.writeKey)
    if (peer !== undefined) await post(`${peer.url}${WIRES.ndjson.peerPath}`, body)
  }
  return count
}

async function post(url: string, body: string, key?: string): Promise<void> {
  const headers = {
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
    'content-type': 'application/x-ndjson',
  }
  const response = await fetch(url, { method: 'POST', body, headers })
  if (!response.ok) throw new Error(`a planted line got ${response.status}: ${(await response.text()).slice(0, 300)}`)
}

/** The trace id of one of the newest lines that have one. */
export async function findTraceId({ url, adminKey }: Stack): Promise<string> {
  const response = await fetch(`${url}/api/v1/logs?service=cart&limit=100`, {
    headers: { authorization: `Bearer ${adminKey}` },
  })
  const { data = [] } = (await response.json()) as { data?: ShownLine[] }
  const line = data.find(({ trace_id: traceId }) => traceId !== undefined && traceId !== null && traceId !== '')
  if (line?.trace_id === undefined || line.trace_id === null) throw new Error('no line with a trace id was found')
  return line.trace_id
}
