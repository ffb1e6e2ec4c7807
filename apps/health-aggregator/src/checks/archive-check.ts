import type { ObjectStore } from '@millrace/object-store'
import { round } from './database-check.js'
import type { HealthCheck } from './health-check.js'

/** Requests of a check that get no answer end then, so that a next check can begin. */
const REQUESTS_MS = 10_000

/** The archive, which is opened by the first check: a folder that cannot be made must not keep the service from starting. */
export interface Archive {
  readonly check: HealthCheck
  close(): Promise<void>
}

/** Checks that the archive can be reached and takes writes; reports its place and the latency. Nothing stays in the archive. */
export function createArchive(open: () => Promise<ObjectStore>): Archive {
  let opened: ObjectStore | undefined
  return {
    check: {
      name: 'archive',
      async run() {
        opened ??= await open()
        const startedAt = performance.now()
        await opened.check({ signal: AbortSignal.timeout(REQUESTS_MS) })
        return { status: 'healthy', latency: round(performance.now() - startedAt), location: opened.location }
      },
    },
    async close() {
      await opened?.close()
    },
  }
}
