import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rememberDirectory, removeDirectory } from './orphans.js'
import { isReachableBy, postgresUser } from './os-user.js'

const forgetters = new Map<string, () => void>()

/** A new directory that the user PostgreSQL runs as can pass through, even when TMPDIR is private to root. */
export function temporaryDirectory(prefix: string): string {
  const user = postgresUser()
  const parent =
    [tmpdir(), '/tmp', '/var/tmp'].find((path) => !user || isReachableBy(user, join(path, 'x'))) ?? tmpdir()
  const path = mkdtempSync(join(parent, prefix))
  chmodSync(path, 0o711)
  forgetters.set(path, rememberDirectory(path))
  return path
}

/** Removes a directory made by `temporaryDirectory`; nothing happens when it is gone. */
export function removeTemporary(path: string): void {
  removeDirectory(path)
  forgetters.get(path)?.()
  forgetters.delete(path)
}
