import { expect } from '@jest/globals'
import { HealthServiceClient, type HealthServiceService } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { type Calls, createGrpcClient, parseConfig, runService } from '@millrace/service'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { freePort } from '@millrace/testing'
import { configSchema } from '../src/config.js'
import { run } from '../src/run.js'

/** The service as it runs, in this process; `stop` ends it as SIGTERM would. */
export async function startService(
  env: Record<string, string>,
): Promise<{ calls: Calls<typeof HealthServiceService>; adminUrl: string; stop(): Promise<void> }> {
  const [grpcPort, adminPort] = [await freePort(), await freePort()]
  let terminate = () => {}
  let exited: (code: number) => void = () => {}
  const exit = new Promise<number>((resolve) => {
    exited = resolve
  })
  const variables = {
    GRPC_PORT: String(grpcPort),
    ADMIN_PORT: String(adminPort),
    ADMIN_URLS: '',
    SYNTHETIC_INTERVAL_SECONDS: '0',
    HEALTH_CACHE_MS: '50',
    HEALTH_CHECK_TIMEOUT_MS: '10000',
    LEDGER_INTERVAL_MS: '100',
    LEDGER_LOST_AFTER_MS: '200',
    ...env,
  }
  parseConfig(configSchema, variables)
  await runService(
    { name: 'health-aggregator', configSchema, run },
    {
      env: variables,
      on: (event: string, listener: (error: unknown) => void) => {
        if (event === 'SIGTERM') terminate = () => listener(undefined)
      },
      exit: (code) => exited(code),
      printError: () => {},
      writeLog: () => {},
    },
  )
  const deps = {
    metrics: createGrpcMetrics(createMetrics({ service: 'test', hasProcessMetrics: false })),
    tracer: noopTracer,
    logger: silentLogger,
  }
  const [calls, stopClient] = createGrpcClient(
    HealthServiceClient,
    `127.0.0.1:${grpcPort}`,
    { policy: { retry: false, circuitBreaker: false } },
    deps,
  )
  return {
    calls,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    async stop() {
      await stopClient()
      terminate()
      expect(await exit).toBe(0)
    },
  }
}

export async function healthOf(calls: Calls<typeof HealthServiceService>, level: string) {
  const { status, bodyJson } = await calls.getHealth({ level }, { deadlineMs: 60_000 })
  return { status, body: JSON.parse(bodyJson) as Record<string, Record<string, Record<string, unknown>>> }
}
