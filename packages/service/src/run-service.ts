import { createLogger } from '@millrace/logger'
import { startTracing } from '@millrace/telemetry'
import type { z } from 'zod'
import { type ConfigSchema, settingsOf } from './config/define-config.js'
import { findMisspelled } from './config/misspelled.js'
import { ConfigError, parseConfig } from './config/parse-config.js'
import type { Lifecycle } from './lifecycle/lifecycle.js'
import { createReturnMemory, processMemory } from './lifecycle/return-memory.js'
import { RunningService, type ServiceConfig, type ServiceHost } from './running-service.js'

/** EX_CONFIG of sysexits.h. A restart does not help until the configuration is changed. */
export const exitCodeConfig = 78

export interface ServiceDefinition<Schema extends ConfigSchema> {
  /** The name of the folder in apps/. */
  readonly name: string
  /** Must include `serviceSettings`. */
  readonly configSchema: Schema
  /** Starts every part by `lifecycle.start`. The service is running when it resolves. */
  readonly run: (config: z.output<Schema>, lifecycle: Lifecycle) => Promise<void>
  readonly version?: string
}

/**
 * Runs one service from start to end: configuration, admin server, the parts of `run`, and on SIGTERM or SIGINT a graceful stop within
 * SHUTDOWN_DELAY_MS and SHUTDOWN_TIMEOUT_MS. Resolves when the service is running or its start has failed.
 *
 * Exit codes: 0 stopped in order; 1 failed to start, an uncaught error, or a stop that took too long; 78 wrong configuration.
 */
export async function runService<Schema extends ConfigSchema>(
  definition: ServiceDefinition<Schema>,
  host: ServiceHost = processHost(),
): Promise<void> {
  let config: z.output<Schema>
  try {
    config = parseConfig(definition.configSchema, host.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    host.printError(
      `${definition.name}: the configuration has ${countProblems(error)}\n${error.problems.map((line) => `  ${line}\n`).join('')}`,
    )
    return host.exit(exitCodeConfig)
  }
  const settings = config as unknown as ServiceConfig
  const logger = createLogger({
    service: definition.name,
    level: settings.LOG_LEVEL,
    maskFields: settings.LOG_MASK_FIELDS,
    samplePerSecond: settings.LOG_SAMPLE_PER_SECOND,
    ...(host.writeLog === undefined ? {} : { write: host.writeLog }),
  })
  for (const { variable, meant } of findMisspelled(settingsOf(definition.configSchema).keys(), host.env))
    logger.warn('a variable of the environment looks like a setting but is none', { variable, meant })
  const tracer = await startTracing({
    service: definition.name,
    ...(definition.version === undefined ? {} : { version: definition.version }),
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    sampler: settings.OTEL_TRACES_SAMPLER,
    sampleRatio: settings.OTEL_TRACES_SAMPLER_ARG,
  })
  const service = new RunningService({ name: definition.name, settings, host, logger, tracer })
  await service.start((lifecycle) => definition.run(config, lifecycle))
}

function countProblems(error: ConfigError): string {
  return error.problems.length === 1 ? 'a problem:' : `${error.problems.length} problems:`
}

/** The real process. */
export function processHost(): ServiceHost {
  return {
    env: process.env,
    on: (event: string, listener: (error: unknown) => void) => void process.on(event, listener),
    exit: (code) => process.exit(code),
    printError: (text) => void process.stderr.write(text),
    returnMemory: createReturnMemory(processMemory()),
  }
}
