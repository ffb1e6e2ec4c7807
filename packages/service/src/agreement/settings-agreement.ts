import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { SECOND_MS } from '@millrace/contracts'
import type { Lifecycle } from '../lifecycle/lifecycle.js'
import { serviceErrors } from '../lifecycle/service-errors.js'
import { type Contradiction, findContradictions, type PublishedSettings, settingsToPublish } from './setting-rules.js'
import type { SettingsDatabase, SettingsQueryable } from './settings-database.js'
import { findStreamContradiction } from './stream-contradiction.js'

const COMPARE_EVERY_MS = 10 * SECOND_MS
/** A process that was seen within this time counts as running. */
const RUNNING_WITHIN = '30 seconds'
/** Rows of processes that were killed are kept for this long: what they accepted may still be in a spool. */
const KEPT_FOR = '1 day'

/**
 * Publishes the settings of this process that other services depend on, compares them with those of the running processes, and goes on doing so. Call it
 * before the service accepts or stores anything.
 * When PostgreSQL cannot be reached, the service starts; the comparison follows when it can.
 * @throws SETTINGS_CONTRADICT when events would get lost, doubled or stuck
 */
export async function agreeOnSettings(config: object, lifecycle: Lifecycle, database: SettingsDatabase): Promise<void> {
  const own: PublishedSettings = {
    service: lifecycle.service,
    instance: `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`,
    values: settingsToPublish(config as Record<string, unknown>),
  }
  const compare = () => publishAndCompare(own, database)
  const first = await compare().catch((error: unknown) => {
    lifecycle.logger.warn('the settings of other services cannot be read; they are compared later', { error })
    return []
  })
  const danger = first.find(({ isDangerous }) => isDangerous)
  if (danger !== undefined) {
    await withdraw(own, database).catch(() => undefined)
    throw serviceErrors.SETTINGS_CONTRADICT({ message: danger.sentence })
  }
  await lifecycle.start('published settings', () => [undefined, () => withdraw(own, database).catch(() => undefined)])
  const report = createReport(lifecycle)
  report(first)
  await lifecycle.every('comparison of settings', COMPARE_EVERY_MS, async () => report(await compare()))
}

/** The settings of all processes that are running; `includesKilled` adds those that were killed within the last day. */
export async function readPublishedSettings(
  database: SettingsQueryable,
  { includesKilled = false }: { readonly includesKilled?: boolean } = {},
): Promise<PublishedSettings[]> {
  const { rows } = await database.query<PublishedSettings>(
    `select service, instance, settings as values from service_settings where seen_at > now() - $1::interval order by service, instance`,
    [includesKilled ? KEPT_FOR : RUNNING_WITHIN],
  )
  return rows.filter(({ instance }) => includesKilled || !isGone(instance))
}

/** One process at a time, so that of two that start together the second one sees the first. */
async function publishAndCompare(own: PublishedSettings, database: SettingsDatabase): Promise<Contradiction[]> {
  return await database.transaction(async (tx) => {
    await tx.query(`select set_config('lock_timeout', '2s', true)`, [])
    await tx.query(`select pg_advisory_xact_lock(hashtext('millrace service settings'))`, [])
    await tx.query(
      `insert into service_settings (service, instance, settings) values ($1, $2, $3)
       on conflict (service, instance) do update set settings = excluded.settings, seen_at = now()`,
      [own.service, own.instance, JSON.stringify(own.values)],
    )
    await tx.query('delete from service_settings where seen_at < now() - $1::interval', [KEPT_FOR])
    const all = await readPublishedSettings(tx)
    const mine = findContradictions(all).filter(({ instances }) => instances.includes(own.instance))
    const stored = await findStreamContradiction(own, tx)
    return stored === undefined ? mine : [stored, ...mine]
  })
}

async function withdraw({ service, instance }: PublishedSettings, database: SettingsDatabase): Promise<void> {
  await database.query('delete from service_settings where service = $1 and instance = $2', [service, instance])
}

/** Whether the instance is a process of this machine that no longer exists. */
function isGone(instance: string): boolean {
  const [host, pid] = instance.split(':')
  if (host !== hostname()) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Logs contradictions when they begin and when they end. */
function createReport({ logger, metrics }: Lifecycle): (found: readonly Contradiction[]) => void {
  const gauge = metrics
    .gauge({
      name: 'millrace_settings_contradictions',
      help: 'settings of this process that contradict settings of other processes',
      alert: 'above 0 for more than a rolling update takes',
    })
    .with({})
  const known = new Set<string>()
  return (found) => {
    gauge.set(found.length)
    const sentences = new Set(found.map(({ sentence }) => sentence))
    for (const { sentence, isDangerous } of found) {
      if (known.has(sentence)) continue
      known.add(sentence)
      if (isDangerous)
        logger.error('settings of two services contradict each other dangerously', { contradiction: sentence })
      else logger.warn('settings of two services contradict each other', { contradiction: sentence })
    }
    for (const sentence of known) {
      if (sentences.has(sentence)) continue
      known.delete(sentence)
      logger.info('settings of two services agree again', { contradiction: sentence })
    }
  }
}
