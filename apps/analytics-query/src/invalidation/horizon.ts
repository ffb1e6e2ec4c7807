/** What the follower of late events knows. */
export interface Horizon {
  /** Up to when everything accepted was stored when last seen, in ms since 1970. -Infinity while answers kept for long may not be believed. */
  readonly watermarkMs: number
  /** Since late events were last looked for, in ms. */
  readonly unseenMs: number
}
