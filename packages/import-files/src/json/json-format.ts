/** How the records of a JSON file are written: an object a line, or one list of objects. */
export interface JsonFormat {
  readonly layout: 'lines' | 'array'
  /** Names of the members that become cells. Other members are reported, see `ReadRecord.otherMembers`. */
  readonly columns: readonly string[]
}
