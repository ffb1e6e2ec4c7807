import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

export interface OsUser {
  name: string
  uid: number
  gid: number
}

/**
 * Who PostgreSQL is to run as: undefined = as ourselves. It refuses uid 0, so root lends it `postgres`, else `nobody`
 * (a number without an entry in passwd would not do: initdb looks the name up).
 */
export function postgresUser(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const entry = entries.find((fields) => fields[0] === name)
    if (entry) return { name, uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and there is no user "postgres" or "nobody": start as an ordinary user',
  )
}

/** Whether `user` can pass through every directory above `path`; the path itself need not exist. */
export function isReachableBy(user: OsUser, path: string): boolean {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const stat = statSync(directory, { throwIfNoEntry: false })
    if (stat) {
      const bit = stat.uid === user.uid ? 0o100 : stat.gid === user.gid ? 0o010 : 0o001
      if ((stat.mode & bit) === 0) return false
    }
    if (directory === dirname(directory)) return true
  }
}
