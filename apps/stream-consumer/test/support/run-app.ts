import { parseConfig } from '@millrace/service'
import { openTestLifecycle, type TestLifecycle } from '@millrace/service/testing'
import { configSchema } from '../../src/config.js'
import { run } from '../../src/run.js'

export type RunningApp = Pick<TestLifecycle, 'metrics' | 'stop'>

/** The whole service in this process, with the settings of `env`. */
export async function runApp(env: Record<string, string>): Promise<RunningApp> {
  const lifecycle = openTestLifecycle('stream-consumer')
  try {
    await run(parseConfig(configSchema, env), lifecycle)
  } catch (error) {
    await lifecycle.stop()
    throw error
  }
  return lifecycle
}
