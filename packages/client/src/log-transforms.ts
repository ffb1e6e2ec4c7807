/** One rule for log lines; apps/log-shipper/src/transforms/README.md describes conditions and steps. */
export interface TransformRule {
  /** Unique among the rules. */
  readonly name: string
  /** What a line must have; absent matches every line. */
  readonly match?: Readonly<Record<string, unknown>>
  /** What a line must not have. */
  readonly unless?: Readonly<Record<string, unknown>>
  /** False keeps the rule and does not run it. Default true. */
  readonly enabled?: boolean
  /** Each with one member, the kind of the step. */
  readonly steps: readonly Readonly<Record<string, unknown>>[]
}

/** The rules of a tenant, in the order in which they run. */
export interface TransformRules {
  readonly rules: readonly TransformRule[]
  /** Further patterns for grok, by their names. */
  readonly patterns?: Readonly<Record<string, string>>
}

/** A version of the rules. */
export interface StoredTransformRules extends TransformRules {
  /** 0 when the tenant never had rules. */
  readonly version: number
  readonly created_at: string | null
  /** Id of the API key that stored the version. */
  readonly created_by: string | null
  /** The versions that are kept, the newest one first. */
  readonly versions: readonly {
    readonly version: number
    readonly created_at: string | null
    readonly created_by: string | null
  }[]
}

/** Lines to try rules on. At least one of `lines` and `last` is needed. */
export interface TransformTrial {
  /** Default: the rules of the tenant. */
  readonly rules?: TransformRules
  /** Messages, or lines as searches return them; at most 100. */
  readonly lines?: readonly (string | Readonly<Record<string, unknown>>)[]
  /** Number of stored lines to try besides, the newest ones; at most 100. */
  readonly last?: number
  /** Service of the stored lines. */
  readonly service?: string
  /** Query that the stored lines match. */
  readonly q?: string
}

/** What rules do with one line. */
export interface TriedLine {
  readonly outcome: 'kept' | 'dropped' | 'sampled_out'
  readonly before: Readonly<Record<string, unknown>>
  /** Null when a rule drops the line. */
  readonly after: Readonly<Record<string, unknown>> | null
  /** The rules that matched the line, in their order. */
  readonly rules: readonly {
    readonly rule: string
    readonly outcome: 'applied' | 'failed' | 'dropped' | 'sampled_out'
    /** Which step failed, and why. */
    readonly error?: string
    readonly changes: Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>
  }[]
}

/** The answer to a trial. */
export interface TriedLines {
  readonly data: readonly TriedLine[]
  /** Lines that did not fit into the answer. */
  readonly left_out: number
}
