import type { CheckResult, HealthStatus } from '../checks/health-check.js'
import type { SystemInfo } from '../checks/system-info.js'

const LEVELS = ['summary', 'system', 'detailed'] as const
/** summary: overall status. system: also the parts and the machine. detailed: also partitions and synthetic events. */
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
 * Parts without which events are not accepted or not stored. When all instances of one of them are unhealthy (`stream-consumer`,
 * `stream-consumer-2`), the overall status is unhealthy. Any other part that is not healthy makes it degraded.
 */
const ESSENTIAL = ['database', 'queues', 'ingest-gateway', 'stream-consumer']

/** The overall status, from the parts and the synthetic events. */
export function overallStatus(services: ReadonlyMap<string, CheckResult>, synthetic: CheckResult): HealthStatus {
  const isDown = ESSENTIAL.some((name) => {
    const instances = [...services].filter(([other]) => other === name || other.startsWith(`${name}-`))
    return instances.length > 0 && instances.every(([, { status }]) => status === 'unhealthy')
  })
  if (isDown) return 'unhealthy'
  const isWhole = synthetic.status === 'healthy' && [...services.values()].every(({ status }) => status === 'healthy')
  return isWhole ? 'healthy' : 'degraded'
}

/** The report for a level; all three levels share one format. `uptime` is in seconds, latencies are in ms. */
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

/** Removes the lists of partitions. */
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
