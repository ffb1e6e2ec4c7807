import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { lockDirectory } from './directory-lock.js'
import type { SpoolFile, SpoolFileSystem } from './file-system.js'

export const nodeFileSystem: SpoolFileSystem = {
  createDirectory: (path) => mkdir(path, { recursive: true }),
  lock: lockDirectory,
  list: (directory) => readdir(directory),
  create: async (path) => new NodeFile(await open(path, 'wx+')),
  open: async (path) => new NodeFile(await open(path, 'r+')),
  readText: (path) => readFile(path, 'utf8').catch(() => undefined),
  writeText: (path, text) => writeFile(path, text),
  rename,
  remove: unlink,
  async syncDirectory(directory) {
    const handle = await open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

class NodeFile implements SpoolFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(bytes)
    const { bytesRead } = await this.#handle.read(buffer, 0, bytes, offset)
    return buffer.subarray(0, bytesRead)
  }

  async write(buffers: readonly Buffer[], offset: number): Promise<number> {
    return (await this.#handle.writev(buffers, offset)).bytesWritten
  }

  truncate(bytes: number): Promise<void> {
    return this.#handle.truncate(bytes)
  }

  datasync(): Promise<void> {
    return this.#handle.datasync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
