import { existsSync, renameSync, rmSync } from 'node:fs'

// Usage: node write-parquet.js LINES.ndjson FILE.parquet
// A process of its own: DuckDB takes some 100 MB. Ends with exit code 1 and one sentence on standard error for a problem.

const COLUMNS = `{tenant_id: 'INTEGER', id: 'VARCHAR', time_ns: 'VARCHAR', level: 'VARCHAR', severity: 'UTINYINT', severity_text: 'VARCHAR', service: 'VARCHAR',
  host: 'VARCHAR', trace_id: 'VARCHAR', span_id: 'VARCHAR', message: 'VARCHAR', attributes: 'VARCHAR'}`

async function main(lines: string, file: string): Promise<void> {
  if (existsSync(file)) throw new Error(`${file} exists already: name another file`)
  const { DuckDBInstance } = await import('@duckdb/node-api').catch(() => {
    throw new Error('an export needs DuckDB, which is not installed: add @duckdb/node-api to apps/log-shipper')
  })
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '512MB' })
  const connection = await instance.connect()
  // Under another name until it is complete.
  const part = `${file}.part`
  try {
    await connection.run(
      `copy (select tenant_id, id, make_timestamp_ns(time_ns::bigint) as time, * exclude (tenant_id, id, time_ns)
        from read_ndjson(${quote(lines)}, columns = ${COLUMNS}, maximum_object_size = 67108864))
       to ${quote(part)} (format parquet, compression zstd)`,
    )
    renameSync(part, file)
  } finally {
    connection.closeSync()
    rmSync(part, { force: true })
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

const [lines, file] = process.argv.slice(2)
try {
  await main(lines ?? '', file ?? '')
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
