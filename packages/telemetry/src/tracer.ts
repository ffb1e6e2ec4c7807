export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export interface SpanOptions {
  /** Default `internal`. */
  readonly kind?: SpanKind
  /** A `traceparent` that came from outside; without it the running span is the parent. */
  readonly parent?: string | undefined
  /** Begins a trace of its own unless `parent` is given, whatever span is running: for work that many share. Default false. */
  readonly isRoot?: boolean
  /** `traceparent`s of spans that led to this one without being its parent: the requests of a batch. */
  readonly links?: readonly string[]
}

/** A running span. Attributes hold no personal data and no secrets. */
export interface Span {
  setAttributes(attributes: SpanAttributes): void
  /** Marks the span as failed, so it is exported whatever the sampling. An error thrown out of `withSpan` is recorded by itself. */
  recordError(error: unknown): void
  /** What to hand on to another process or into a frame header; undefined when tracing is off. */
  readonly traceparent: string | undefined
}

export interface Tracer {
  /** False: every span is a no-op. Hot paths may ask before they gather attributes. */
  readonly isOn: boolean
  /** Runs `fn` inside a span that ends with it; what `fn` throws is recorded and thrown on. */
  withSpan<T>(
    name: string,
    attributes: SpanAttributes,
    fn: (span: Span) => Promise<T>,
    options?: SpanOptions,
  ): Promise<T>
  /** The `traceparent` of the running span, or undefined. */
  inject(): string | undefined
  /** Runs `fn` as a child of a `traceparent` without a span of its own. */
  extract<T>(traceparent: string | undefined, fn: () => T): T
  /** Ids of the running span for log lines. */
  current(): { readonly traceId: string; readonly spanId: string } | undefined
  /** Exports the spans that are buffered, for at most `timeoutMs` (default 5,000), and ends. */
  close(timeoutMs?: number): Promise<void>
}

const noopSpan: Span = { setAttributes: () => undefined, recordError: () => undefined, traceparent: undefined }

/** A tracer that does nothing and costs nothing. */
export const noopTracer: Tracer = {
  isOn: false,
  withSpan: (_name, _attributes, fn) => fn(noopSpan),
  inject: () => undefined,
  extract: (_traceparent, fn) => fn(),
  current: () => undefined,
  close: async () => undefined,
}
