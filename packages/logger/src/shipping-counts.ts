/** What became of the lines for log-shipper since the start. `written` = `acknowledged` + `dropped` + `refused` + those that wait. */
export interface ShippingCounts {
  readonly written: number
  /** log-shipper has answered that it keeps them. */
  readonly acknowledged: number
  /** Not taken because the buffer was full, or not delivered when the process ended. */
  readonly dropped: number
  /** log-shipper has answered that it will never take them. */
  readonly refused: number
  /** Requests that failed and were sent again. */
  readonly retries: number
  readonly waitingBytes: number
}
