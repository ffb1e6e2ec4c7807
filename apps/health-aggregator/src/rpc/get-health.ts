import { errors } from '../errors.js'
import { isHealthLevel } from '../report/health-report.js'
import type { ReportHealth } from '../report/health-reporter.js'

/** The health report as JSON text, at level `summary` by default. It also works while PostgreSQL and Redis are down, and reports that. */
export function createGetHealth({ reportHealth }: { readonly reportHealth: ReportHealth }) {
  return async function getHealth(request: { readonly level: string }): Promise<{ status: string; bodyJson: string }> {
    const level = request.level === '' ? 'summary' : request.level
    if (!isHealthLevel(level)) throw errors.UNKNOWN_HEALTH_LEVEL()
    const { status, body } = await reportHealth(level)
    return { status, bodyJson: JSON.stringify(body) }
  }
}
