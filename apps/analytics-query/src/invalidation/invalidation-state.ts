/** How current the invalidation by late events is. */
export interface InvalidationState {
  /**
   * The watermark at the last reading, in ms since 1970. -Infinity while cached answers over closed ranges must not be
   * used.
   */
  readonly watermarkMs: number
  /** Time since late events were last read, in ms. */
  readonly unseenMs: number
}
