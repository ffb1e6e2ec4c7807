import type { Queryable } from '@millrace/database'
import { findContradictions, readPublishedSettings } from '@millrace/service'
import type { HealthCheck } from './health-check.js'

/** Compares the settings that running services have published: degraded while two of them contradict each other. */
export function createSettingsCheck(database: Queryable): HealthCheck {
  return {
    name: 'settings',
    async run() {
      const published = await readPublishedSettings(database)
      const contradictions = findContradictions(published).map(({ sentence }) => sentence)
      const values = Object.fromEntries(
        published.map(({ service, instance, values }) => [`${service} ${instance}`, values]),
      )
      return { status: contradictions.length === 0 ? 'healthy' : 'degraded', contradictions, published: values }
    },
  }
}
