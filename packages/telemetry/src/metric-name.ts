const PATTERN = /^millrace(_[a-z][a-z0-9]*){2,}$/
const FOREIGN_UNITS = /_(ms|millis|milliseconds|minutes|kb|mb|kib|mib|percent)$/

/**
 * Throws unless the name has the form `millrace_<area>_<noun>_<unit>`: lower case, base units (seconds, bytes, ratios), and `_total` at the end of
 * counters only. It runs when a metric is created, so a service with a wrong name does not start, in any test.
 */
export function checkMetricName(name: string, type: 'counter' | 'gauge' | 'histogram'): void {
  if (!PATTERN.test(name)) throw new TypeError(`metric ${name} does not have the form millrace_<area>_<noun>_<unit>`)
  if (FOREIGN_UNITS.test(name)) throw new TypeError(`metric ${name} must be in seconds, bytes or a ratio`)
  if (name.endsWith('_total') !== (type === 'counter'))
    throw new TypeError(`metric ${name}: the names of counters, and only those, end in _total`)
}
