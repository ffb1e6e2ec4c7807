/** Names of events, or all of them. */
export type EventNames = readonly string[] | '*'
