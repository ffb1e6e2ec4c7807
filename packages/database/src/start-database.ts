import type { Logger } from '@millrace/logger'
import type { Metrics, Tracer } from '@millrace/telemetry'
import { checkDatabase } from './check-database.js'
import type { DatabaseConfig } from './database-config.js'
import type { Environment } from './detect-repeats.js'
import { databaseErrors } from './errors.js'
import { type Database, openDatabase } from './open-database.js'

/** The database settings of a service's configuration (OPS-7). */
export interface DatabaseSettings {
  readonly NODE_ENV: Environment
  readonly DATABASE_URL: { reveal(): string }
  readonly DATABASE_CONNECTION_LIMIT: number
  readonly DATABASE_TIMEOUT: number
  readonly DATABASE_RETRY_ATTEMPTS: number
}

const CLOSE_MS = 5_000

/**
 * For `lifecycle.start`: opens the database of the settings. `overrides` replaces or adds settings. A server that cannot be reached is no error, since it may
 * still be starting: one log line says so, and statements are tried again.
 * @throws DATABASE_CONFIG with the remedy when a server answers that cannot be used: another program, a wrong password, no such database, an old version
 */
export async function startDatabase(
  settings: DatabaseSettings,
  { service, ...deps }: { service: string; logger: Logger; metrics: Metrics; tracer: Tracer },
  overrides: Partial<DatabaseConfig> = {},
): Promise<readonly [Database, (budgetMs?: number) => Promise<void>]> {
  const { logger, metrics, tracer } = deps
  const state = await checkDatabase(overrides.url ?? settings.DATABASE_URL.reveal(), { setting: 'DATABASE_URL' })
  if (state.kind === 'wrong') throw databaseErrors.DATABASE_CONFIG({ message: state.problem })
  if (state.kind === 'unreachable')
    logger.warn('the database cannot be reached; it is tried again until it can', { reason: state.problem })
  const database = openDatabase(
    {
      url: settings.DATABASE_URL.reveal(),
      connectionLimit: settings.DATABASE_CONNECTION_LIMIT,
      timeoutMs: settings.DATABASE_TIMEOUT,
      retryAttempts: settings.DATABASE_RETRY_ATTEMPTS,
      applicationName: service,
      environment: settings.NODE_ENV,
      ...overrides,
    },
    { logger, metrics, tracer },
  )
  return [database, (budgetMs = CLOSE_MS) => database.close(Math.min(budgetMs, CLOSE_MS))]
}
