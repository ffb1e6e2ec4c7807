import type { Scope } from '@millrace/auth'
import type { ContentEncoding } from './decompress.js'
import type { IntakeRequest } from './intake-request.js'

/** A path that takes request bodies by POST. */
export interface IntakeRoute {
  /** Exact path; the same path with a slash at its end is served too. Also the `route` label of metrics and spans. */
  readonly path: string
  /** The scope that the caller's key must have. */
  readonly scope: Scope
  /**
   * Where clients put their key. `header`: a request without Authorization is refused before its body is read. `header-or-body`: such a
   * request reaches `handle` without a principal, and `handle` calls `request.authenticate` with the key that it finds in the body.
   */
  readonly keyIn: 'header' | 'header-or-body'
  /** Largest body after decompression, in bytes. */
  readonly bodyBytesMax: number
  /** Compression methods that clients may use. */
  readonly encodings: readonly ContentEncoding[]
  /**
   * Called once, with the complete and decompressed body, after the key in the header was verified. Must lead to exactly one call of
   * `request.respond` or `request.refuse`. An error that it throws, or rejects with, refuses the request.
   */
  readonly handle: (request: IntakeRequest) => void | Promise<void>
}
