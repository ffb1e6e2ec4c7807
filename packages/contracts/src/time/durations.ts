/** Lengths of time in milliseconds. A day is always 24 hours here; calendar days in a time zone can be longer or shorter. */
export const SECOND_MS = 1000
/** Milliseconds of a minute. */
export const MINUTE_MS = 60 * SECOND_MS
/** Milliseconds of an hour. */
export const HOUR_MS = 60 * MINUTE_MS
/** Milliseconds of a day in UTC. Days of other time zones may be longer or shorter. */
export const DAY_MS = 24 * HOUR_MS
