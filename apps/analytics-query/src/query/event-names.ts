/** A list of event names; `*` means all events. */
export type EventNames = readonly string[] | '*'
