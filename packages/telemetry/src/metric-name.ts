const pattern = /^millrace(_[a-z][a-z0-9]*){2,}$/
const foreignUnits = /_(ms|millis|milliseconds|minutes|kb|mb|kib|mib|percent)$/

/**
 * Throws unless a name follows `millrace_<area>_<noun>_<unit>`: lower case, base units (seconds, bytes, ratios), counters and only they end
 * in `_total`. It runs when a metric is made, so a wrong name ends the start of the service, in every test.
 */
export function checkMetricName(name: string, type: 'counter' | 'gauge' | 'histogram'): void {
  if (!pattern.test(name)) throw new TypeError(`metric ${name} is not named millrace_<area>_<noun>_<unit>`)
  if (foreignUnits.test(name)) throw new TypeError(`metric ${name} is not in seconds, bytes or a ratio`)
  if (name.endsWith('_total') !== (type === 'counter'))
    throw new TypeError(`metric ${name}: counters, and only counters, end in _total`)
}
