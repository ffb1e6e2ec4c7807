import type { CheckResult, HealthStatus } from '../checks/health-check.js'
import type { SystemInfo } from '../checks/system-info.js'

const LEVELS = ['summary', 'system', 'detailed'] as const
/** summary: the status alone. system: each part's and the machine's. detailed: partitions and the synthetic event as well. */
export type HealthLevel = (typeof LEVELS)[number]

export function isHealthLevel(text: string): text is HealthLevel {
  return LEVELS.some((level) => level === text)
}

export interface HealthFacts {
  readonly nowMs: number
  readonly version: string
  readonly startedAtMs: number
  /** Results by the name of the check. */
  readonly services: ReadonlyMap<string, CheckResult>
  readonly system: SystemInfo
  readonly synthetic: CheckResult
}

/**
 * Parts without which events are not taken in or not stored: when all instances of one are unhealthy (`stream-consumer`,
 * `stream-consumer-2`), so is the whole. Anything else that is not healthy makes the whole degraded.
 */
const ESSENTIAL = ['database', 'queues', 'ingest-gateway', 'stream-consumer']

/** The status of the whole: the parts' and the synthetic event's together. */
export function overallStatus(services: ReadonlyMap<string, CheckResult>, synthetic: CheckResult): HealthStatus {
  const isDown = ESSENTIAL.some((name) => {
    const instances = [...services].filter(([other]) => other === name || other.startsWith(`${name}-`))
    return instances.length > 0 && instances.every(([, { status }]) => status === 'unhealthy')
  })
  if (isDown) return 'unhealthy'
  const isWhole = synthetic.status === 'healthy' && [...services.values()].every(({ status }) => status === 'healthy')
  return isWhole ? 'healthy' : 'degraded'
}

/** The answer of a level, in the one format of all three. Uptime is in seconds, latencies are in ms. */
export function buildReport(
  level: HealthLevel,
  facts: HealthFacts,
): { status: HealthStatus; body: Record<string, unknown> } {
  const status = overallStatus(facts.services, facts.synthetic)
  const head = {
    timestamp: new Date(facts.nowMs).toISOString(),
    status,
    version: facts.version,
    uptime: Math.floor((facts.nowMs - facts.startedAtMs) / 1000),
  }
  if (level === 'summary') return { status, body: head }
  const services = Object.fromEntries(
    [...facts.services].map(([name, result]) => [name, level === 'detailed' ? result : withoutDetails(result)]),
  )
  const body = { ...head, services, system: facts.system }
  return { status, body: level === 'detailed' ? { ...body, synthetic: facts.synthetic } : body }
}

/** Drops the lists of partitions. */
function withoutDetails(result: CheckResult): CheckResult {
  const entries = Object.entries(result).map(([name, value]) => [
    name,
    isRecord(value) && 'partitions' in value ? { ...value, partitions: undefined } : value,
  ])
  return { ...Object.fromEntries(entries), status: result.status }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
