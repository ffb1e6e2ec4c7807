import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { type Archive, findSegments } from '@millrace/archive'
import type { Database } from '@millrace/database'
import { levelOf } from '../records/severity.js'
import { StoredChunk } from '../search/stored-chunk.js'
import { type ChunkRow, decodeChunkRows } from './chunk-payload.js'

export interface ExportRequest {
  readonly stream: string
  /** Default: all tenants. */
  readonly tenantId?: number | undefined
  /** Lines from this time, ms since 1970, */
  readonly fromMs: number
  /** up to, but not including, this one. */
  readonly toMs: number
  /** A Parquet file, which must not exist. */
  readonly file: string
}

const WRITER = fileURLToPath(new URL('./write-parquet.js', import.meta.url))

/**
 * Writes archived lines to a Parquet file and returns their number. DuckDB writes it in a process of its own, so that its memory is not that of this process.
 * @throws when DuckDB is not installed, when the file exists, and the errors of `Archive.read`; then there is no file
 */
export async function exportLines(
  { file, ...range }: ExportRequest,
  { database, archive }: { readonly database: Database; readonly archive: Archive },
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-export-'))
  try {
    const ndjson = join(directory, 'lines.ndjson')
    let lines = 0
    const texts = async function* () {
      for (const segment of await findSegments(database, range))
        for (const row of decodeChunkRows(await archive.read(segment))) {
          const found = linesOf(row, range)
          lines += found.length
          if (found.length > 0) yield `${found.join('\n')}\n`
        }
    }
    await pipeline(texts, createWriteStream(ndjson, { mode: 0o600 }))
    await writeParquet(ndjson, resolve(file))
    return lines
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function linesOf(chunk: ChunkRow, { fromMs, toMs }: Pick<ExportRequest, 'fromMs' | 'toMs'>): string[] {
  const rows = openRow(chunk).rows
  if (rows === undefined) throw new RangeError('an archived chunk has no lines')
  const lines: string[] = []
  for (let index = 0; index < rows.count; index++) {
    const row = rows.row(index)
    if (row.timeMs < fromMs || row.timeMs >= toMs) continue
    lines.push(
      JSON.stringify({
        tenant_id: chunk.tenant_id,
        id: `${row.partition}-${row.ordinal}`,
        time_ns: String(BigInt(row.timeMs) * 1_000_000n + BigInt(row.timeSubNs)),
        level: levelOf(row.severity),
        severity: row.severity,
        severity_text: row.severityText,
        service: row.service,
        host: row.host,
        trace_id: row.traceId,
        span_id: row.spanId,
        message: row.message,
        attributes: row.attributesJson,
      }),
    )
  }
  return lines
}

function openRow(row: ChunkRow): StoredChunk {
  const chunk = new StoredChunk({
    chunkId: Number(row.chunk_id),
    dayMs: Date.parse(String(row.day)),
    firstMs: Number(row.first_ms),
    lastMs: Number(row.last_ms),
    lines: Number(row.lines),
    levels: Number(row.levels),
    services: [],
    minutes: null,
    isPlain: Buffer.isBuffer(row.data),
  })
  chunk.add(
    new Map(Object.entries(row).flatMap(([name, value]) => (Buffer.isBuffer(value) ? [[name, value] as const] : []))),
  )
  return chunk
}

async function writeParquet(ndjson: string, file: string): Promise<void> {
  const child = spawn(process.execPath, [WRITER, ndjson, file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let problem = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    problem += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(problem.trim() || 'the process that writes the Parquet file was ended')
}
