import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { ADVISORY_LOCKS } from '@millrace/contracts'
import { type Logger, silentLogger } from '@millrace/logger'
import pg from 'pg'
import { ensureReaderRole } from './ensure-reader-role.js'
import { databaseErrors } from './errors.js'
import { toDatabaseError } from './to-database-error.js'

/** Options of `migrate`. */
export interface MigrateOptions {
  readonly logger?: Logger | undefined
  /** Directory of files NNNN_name.sql, numbered from 0000 without gaps. Default: that of this package. */
  readonly directory?: string | undefined
}

/** What `migrate` has done. */
export interface MigrateResult {
  /** Names of the files that this call applied, in order. */
  readonly applied: string[]
  readonly alreadyApplied: number
}

interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

const OWN_DIRECTORY = fileURLToPath(new URL('../migrations', import.meta.url))

/**
 * Brings the database at `url` up to date. Each file runs in a transaction of its own. Several processes may call it at once: an advisory lock makes them
 * take turns. `url` must be that of the server, not of a pooler in transaction mode, which would lose the lock.
 * @throws databaseErrors.DATABASE_MIGRATION_REFUSED when an applied file is missing or has changed, before anything runs
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<MigrateResult> {
  const logger = options.logger ?? silentLogger
  const migrations = await readMigrations(options.directory ?? OWN_DIRECTORY)
  const client = new pg.Client({
    connectionString: url,
    application_name: 'millrace-migrate',
    connectionTimeoutMillis: 10_000,
  })
  client.on('error', () => undefined)
  client.on('notice', (notice) => {
    if (notice.severity === 'WARNING')
      logger.warn('the server sent a warning during a migration', { message: notice.message })
  })
  try {
    await client.connect()
    await client.query(`select pg_advisory_lock(hashtext('${ADVISORY_LOCKS.migrations}'), hashtext('migrate'))`)
    const result = await applyMissing(client, migrations, logger)
    await ensureReaderRole(client, logger)
    return result
  } catch (error) {
    throw toDatabaseError(error)
  } finally {
    await client.end()
  }
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort()
  return await Promise.all(
    names.map(async (name, index) => {
      if (Number(name.slice(0, 4)) !== index) {
        throw databaseErrors.DATABASE_MIGRATION_REFUSED({
          message: `migration ${name} is out of order: number ${index} is next`,
        })
      }
      const sql = await readFile(`${directory}/${name}`, 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex') }
    }),
  )
}

async function applyMissing(
  client: pg.Client,
  migrations: readonly Migration[],
  logger: Logger,
): Promise<MigrateResult> {
  await client.query(
    `create table if not exists schema_migrations (name text collate "C" primary key, checksum text not null, applied_at timestamptz not null default now())`,
  )
  const { rows } = await client.query<{ name: string; checksum: string }>(
    `select name, checksum from schema_migrations order by name`,
  )
  refuseMismatch(migrations, rows)
  const missing = migrations.slice(rows.length)
  for (const migration of missing) {
    await apply(client, migration)
    logger.info('migration applied', { name: migration.name })
  }
  return { applied: missing.map(({ name }) => name), alreadyApplied: rows.length }
}

/** A newer database is refused too, so that an old release does not run on it by mistake. */
function refuseMismatch(
  migrations: readonly Migration[],
  applied: readonly { name: string; checksum: string }[],
): void {
  for (const [index, row] of applied.entries()) {
    const migration = migrations[index]
    const reason =
      migration?.name !== row.name
        ? `the database has ${row.name} where this release has ${migration?.name ?? 'nothing'}`
        : migration.checksum !== row.checksum
          ? `${row.name} has changed since it was applied`
          : undefined
    if (reason) throw databaseErrors.DATABASE_MIGRATION_REFUSED({ message: reason })
  }
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query('begin')
    await client.query(sql)
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw databaseErrors.DATABASE_MIGRATION_REFUSED({
      message: `migration ${name} failed: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    })
  }
}
