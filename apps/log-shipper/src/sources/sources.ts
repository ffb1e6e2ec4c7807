import type { HttpSource } from '../intake/http-source.js'
import { datadogSource } from './datadog/route.js'
import { elasticsearchSource } from './elasticsearch/route.js'
import { gelfSource } from './gelf/route.js'
import { journaldSource } from './journald/route.js'
import { lokiSource } from './loki/route.js'
import { ndjsonSource } from './ndjson/route.js'
import { otlpSource } from './otlp/route.js'
import { splunkSource } from './splunk/route.js'

/** Every wire over HTTP. To add one, add its folder and a line here. */
export const HTTP_SOURCES: readonly HttpSource[] = [
  otlpSource,
  ndjsonSource,
  elasticsearchSource,
  lokiSource,
  datadogSource,
  splunkSource,
  gelfSource,
  journaldSource,
]
