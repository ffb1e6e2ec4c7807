/** A rejected event, or a request that was refused whole. Texts are masked and cut. */
export interface KeptRejection {
  readonly time: string
  /** `request`: the request was refused whole. */
  readonly scope: 'event' | 'request'
  readonly wire: string
  readonly path: string
  /** Stable code, such as `missing_user`; in upper case for requests. */
  readonly code: string
  readonly reason: string
  /** Index of the event in its request, from 0. */
  readonly index: number | null
  readonly message_id: string | null
  readonly type: string | null
  /** Name of the event. */
  readonly event: string | null
  readonly user_id: string | null
  readonly anonymous_id: string | null
  /** Name and version of the client library. */
  readonly library: string | null
  readonly user_agent: string | null
  /** The first characters of the event or of the body. */
  readonly excerpt: string | null
  /** Size of the event, or of the body as far as it was read. */
  readonly bytes: number
  /** Rejections with the same code that the gateway left out of the list since the one before. */
  readonly omitted: number
}

/** Selects rejections. Absent fields select all. */
export interface RejectionsFilter {
  readonly code?: string | undefined
  /** Only rejections from this time on. */
  readonly since?: string | Date | undefined
  /** Rejections per page, 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** `next_cursor` of the page after which to start, with the same filter. */
  readonly cursor?: string | undefined
}
