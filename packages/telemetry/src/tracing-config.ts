export interface TracingConfig {
  readonly service: string
  readonly version?: string
  /** OTEL_EXPORTER_OTLP_ENDPOINT; tracing is off without it. Spans go to `<endpoint>/v1/traces` as OTLP over HTTP. */
  readonly endpoint?: string | undefined
  /** OTEL_TRACES_SAMPLER: `always_on`, `always_off`, `traceidratio`, or the same with `parentbased_` before it. Default `parentbased_traceidratio`. */
  readonly sampler?: string | undefined
  /** OTEL_TRACES_SAMPLER_ARG, the share of traces to sample, 0 to 1. Default 0.1. */
  readonly sampleRatio?: number | undefined
}
