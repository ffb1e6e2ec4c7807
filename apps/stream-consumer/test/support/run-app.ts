import { silentLogger } from '@millrace/logger'
import { type Lifecycle, parseConfig } from '@millrace/service'
import { createMetrics, type Metrics, noopTracer } from '@millrace/telemetry'
import { configSchema } from '../../src/config.js'
import { run } from '../../src/run.js'

export interface RunningApp {
  readonly metrics: Metrics
  stop(): Promise<void>
}

/** The whole service in this process, with the settings of `env`. */
export async function runApp(env: Record<string, string>): Promise<RunningApp> {
  const stops: (() => void | Promise<void>)[] = []
  const stopping = new AbortController()
  const metrics = createMetrics({ service: 'stream-consumer', hasProcessMetrics: false })
  const lifecycle: Lifecycle = {
    service: 'stream-consumer',
    logger: silentLogger,
    metrics,
    tracer: noopTracer,
    stopping: stopping.signal,
    start: async (_name, fn) => {
      const [value, stop] = await fn()
      stops.unshift(stop)
      return value
    },
    ready: () => {},
    fail: (error) => {
      throw error
    },
  }
  const stop = async (): Promise<void> => {
    stopping.abort()
    for (const one of stops.splice(0)) await one()
  }
  try {
    await run(parseConfig(configSchema, env), lifecycle)
  } catch (error) {
    await stop()
    throw error
  }
  return { metrics, stop }
}
