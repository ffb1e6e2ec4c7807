import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The root of the repository, found from the sources as well as from compiled code. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

/**
 * Imports a compiled file that its package does not export, by its path below the root of the repository. `T` describes the part of it that a
 * scenario uses.
 */
export async function importInnerFile<T>(path: string): Promise<T> {
  return (await import(pathToFileURL(join(ROOT, path)).href)) as T
}

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('no folder above this file has a pnpm-workspace.yaml')
  return findRoot(parent)
}
