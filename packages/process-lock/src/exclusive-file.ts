import { createHash, randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Creates a file with the content, also in place of one whose content `isStale`. Of any number of processes that do so at the same time exactly one
 * succeeds. Returns false when another process has the file. Contents name their process, so no two processes write the same one.
 *
 * A stale file is removed only by the process that created a second file, named by the hash of the stale content, in the same way. So the file
 * cannot be a newer one when it is removed, and a process that is killed in between leaves nothing that keeps others out.
 */
export function createExclusively(path: string, content: string, isStale: (content: string) => boolean): boolean {
  for (;;) {
    if (createWhole(path, content)) return true
    const held = read(path)
    if (held === undefined) continue
    if (!isStale(held)) return false
    const right = `${path}.${createHash('sha256').update(held).digest('hex').slice(0, 16)}`
    if (!createExclusively(right, content, isStale)) return false
    if (read(path) === held) rmSync(path)
    rmSync(right)
  }
}

/** The file appears with its whole content or not at all. */
function createWhole(path: string, content: string): boolean {
  const part = `${path}.${randomBytes(8).toString('hex')}`
  try {
    writeFileSync(part, content)
    linkSync(part, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  } finally {
    rmSync(part, { force: true })
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}
