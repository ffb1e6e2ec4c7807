export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export interface SpanOptions {
  /** Default `internal`. */
  readonly kind?: SpanKind
  /** The `traceparent` of a caller in another process. Default: the running span is the parent. */
  readonly parent?: string | undefined
  /** Begins a new trace even inside a running span, unless `parent` is given: for work that serves many requests. Default false. */
  readonly isRoot?: boolean
  /** `traceparent`s of spans that caused this one without being its parent, such as the requests of a batch. */
  readonly links?: readonly string[]
}

/** A running span. Attributes hold no personal data and no secrets. */
export interface Span {
  setAttributes(attributes: SpanAttributes): void
  /** Marks the span as failed, so that it is exported in any case. `withSpan` does this itself for an error that its function throws. */
  recordError(error: unknown): void
  /** To send to another process or to store in a frame header; undefined when tracing is off. */
  readonly traceparent: string | undefined
}

export interface Tracer {
  /** False when tracing is off and spans do nothing; hot paths can then skip collecting attributes. */
  readonly isOn: boolean
  /** Runs `fn` inside a span. An error of `fn` is recorded on the span and thrown again. */
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
  /** The ids of the running span, for log lines; undefined outside of spans. */
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
