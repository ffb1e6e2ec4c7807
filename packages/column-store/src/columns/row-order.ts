/** Rows of several sources in an order: the number of the source and the row in it. */
export interface RowOrder {
  readonly sources: Uint32Array
  readonly rows: Uint32Array
}
