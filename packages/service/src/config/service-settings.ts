import { logThresholds } from '@millrace/logger'
import { host } from './place-settings.js'
import { choice, decimal, integer, list, port, secret, url } from './settings.js'

/** The settings that every service has; `runService` needs them. Spread them into the schema of the service. */
export function serviceSettings(options: { readonly adminPort: number }) {
  return {
    NODE_ENV: choice(['development', 'test', 'production'], {
      default: 'development',
      description: 'production refuses the development keys, and opens /metrics and /log-level only with ADMIN_TOKEN',
    }),
    LOG_LEVEL: choice(logThresholds, {
      default: 'info',
      description: 'log lines below this level are not written; can be changed at run time through /log-level',
    }),
    LOG_SAMPLE_PER_SECOND: integer({
      default: 100,
      min: 0,
      max: 1_000_000,
      unit: 'lines/s',
      description:
        'log lines per second with the same message and endpoint; the number of suppressed lines is on the next one; 0 writes all lines',
    }),
    LOG_MASK_FIELDS: list({
      default: [],
      description: 'names of log fields to mask, in addition to the built-in ones',
    }),
    ADMIN_HOST: host({ default: '127.0.0.1', description: 'address the admin server listens on' }),
    ADMIN_PORT: port({
      default: options.adminPort,
      description: 'port of /live, /ready, /startup, /metrics and /log-level',
    }),
    ADMIN_TOKEN: secret({
      optional: true,
      minLength: 16,
      description:
        'bearer token for /metrics and /log-level; without it both are open, or closed when NODE_ENV is production',
    }),
    SHUTDOWN_DELAY_MS: integer({
      default: 0,
      min: 0,
      max: 600_000,
      unit: 'ms',
      description:
        'how long after SIGTERM the service still accepts requests while /ready answers 503, so that load balancers can stop sending them; 5000 in the container image',
    }),
    SHUTDOWN_TIMEOUT_MS: integer({
      default: 20_000,
      min: 0,
      max: 600_000,
      unit: 'ms',
      description:
        'after SHUTDOWN_DELAY_MS: time to finish requests, write what is buffered and export traces; half of it for requests at most',
    }),
    OTEL_EXPORTER_OTLP_ENDPOINT: url({
      optional: true,
      protocols: ['http:', 'https:'],
      description: 'URL of the collector for traces; tracing is off without it',
    }),
    OTEL_TRACES_SAMPLER: choice(
      [
        'always_on',
        'always_off',
        'traceidratio',
        'parentbased_always_on',
        'parentbased_always_off',
        'parentbased_traceidratio',
      ],
      {
        default: 'parentbased_traceidratio',
        description: 'how traces are sampled; failed spans are exported in any case, except with always_off',
      },
    ),
    OTEL_TRACES_SAMPLER_ARG: decimal({ default: 0.1, min: 0, max: 1, description: 'share of traces that are sampled' }),
  }
}
