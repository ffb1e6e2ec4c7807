/**
 * The HTTP paths of the wires of log lines: log-shipper serves them, and the gateway passes requests for them on to it. A segment in braces stands for any
 * text. Paths of log-shipper that mean something else at the gateway are missing here, such as `/`.
 */
export const LOG_WIRE_PATHS: readonly string[] = [
  '/v1/logs',
  '/v1/logs/ndjson',
  ...['', '/elasticsearch'].flatMap((prefix) => [
    `${prefix}/_bulk`,
    `${prefix}/{index}/_bulk`,
    `${prefix}/_license`,
    `${prefix}/_xpack`,
    `${prefix}/_nodes/http`,
    `${prefix}/_cluster/health`,
    `${prefix}/_index_template/{name}`,
    `${prefix}/_template/{name}`,
    `${prefix}/_component_template/{name}`,
    `${prefix}/_ilm/policy/{name}`,
    `${prefix}/_ingest/pipeline/{name}`,
    `${prefix}/_data_stream/{name}`,
  ]),
  '/elasticsearch/',
  '/loki/api/v1/push',
  '/api/prom/push',
  '/api/v2/logs',
  '/v1/input',
  '/v1/input/{key}',
  ...['', '/event', '/event/1.0', '/raw', '/raw/1.0', '/ack', '/ack/1.0', '/health', '/health/1.0'].map(
    (path) => `/services/collector${path}`,
  ),
  '/gelf',
]
