/** A body whose times can be replaced: `times` has the place of the time of each line. */
export interface PreparedBody {
  readonly bytes: Buffer
  readonly times: Uint32Array
}
