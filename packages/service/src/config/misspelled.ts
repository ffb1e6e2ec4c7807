/** A variable that no program reads, and the setting that was probably meant. */
export interface Misspelled {
  readonly variable: string
  readonly meant: string | undefined
}

/** Variables with this beginning are ours, so one that nobody knows is a mistake whatever its name is. */
const PREFIX = 'MILLRACE_'

/** Variables with our prefix that are no settings of a service. */
const OF_COMMANDS = [
  'MILLRACE_DATA_DIR',
  'MILLRACE_PORTS',
  'MILLRACE_TEST_BACKEND',
  'MILLRACE_TEST_SERVERS',
  'MILLRACE_TESTS_SKIP_BUILD',
  'MILLRACE_WAIT_FACTOR',
  'MILLRACE_ROLLUP_SEED',
]

/** Short names are like too many others. */
const LENGTH_MIN = 7

/**
 * Variables of the environment that look like settings and are none: those with our prefix, and those whose name differs from a setting by a slip of the
 * keyboard, which is one letter in names below 12 characters and up to two in longer ones. A variable of another program may be among them, so this is a
 * reason for a warning only.
 */
export function findMisspelled(
  names: Iterable<string>,
  env: Readonly<Record<string, string | undefined>>,
): Misspelled[] {
  const known = new Set([...names].flatMap((name) => [name, `${name}_FILE`]).concat(OF_COMMANDS))
  const targets = [...known].filter((name) => name.length >= LENGTH_MIN)
  return Object.keys(env)
    .filter((variable) => !known.has(variable) && /^[A-Z0-9_]+$/i.test(variable) && env[variable] !== '')
    .flatMap((variable) => {
      const meant = targets.find((name) => isSlip(variable.toUpperCase(), name))
      return meant !== undefined || variable.startsWith(PREFIX) ? [{ variable, meant }] : []
    })
}

/** Whether two names are so near that one may be a misspelling of the other. */
export function isSlip(variable: string, name: string): boolean {
  const slipsMax = name.length < 12 ? 1 : 2
  return Math.abs(variable.length - name.length) <= slipsMax && editDistance(variable, name) <= slipsMax
}

/** The least number of inserted, deleted, replaced and swapped letters (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const at = (k: number, l: number) => rows[k]?.[l] ?? 0
      let least = Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + (isSame ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(i - 2, j - 2) + 1)
      row.push(least)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}
