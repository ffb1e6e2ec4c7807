import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { callbackify } from 'node:util'
import type { GetOptions, StoredObject } from '../../object-store.js'
import { objectStoreErrors } from '../../object-store-errors.js'
import { systemCode, toFileError } from './to-file-error.js'

const READ_BYTES = 256 * 1024

/** Reads a part of a file. Returns undefined when there is something else than a file. */
export async function readFileRange(
  path: string,
  key: string,
  { range, signal }: GetOptions,
): Promise<StoredObject | undefined> {
  // Without O_NONBLOCK the opening of a named pipe would hang.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  let isRead = false
  try {
    const stats = await file.stat()
    if (!stats.isFile()) return undefined
    const info = { key, bytes: stats.size, modifiedAt: stats.mtime }
    const start = Math.min(range?.offset ?? 0, stats.size)
    const end = Math.min(stats.size, start + (range?.bytes ?? stats.size))
    if (start === end) return { info, body: Readable.from([]) }
    isRead = true
    return { info, body: openBody(file, { key, start, end, signal }) }
  } finally {
    if (!isRead) await file.close()
  }
}

interface Section {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly signal: AbortSignal | undefined
}

/** The bytes from `start` to `end`. A file that somebody has made shorter ends the body with an error. */
function openBody(file: FileHandle, { key, start, end, signal }: Section): Readable {
  let at = start
  return new Readable({
    highWaterMark: READ_BYTES,
    ...(signal !== undefined && { signal }),
    read() {
      const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at))
      file.read(piece, 0, piece.length, at).then(
        ({ bytesRead }) => {
          at += bytesRead
          if (bytesRead === 0) {
            const message = `reading the object ${key}: ${at - start} of ${end - start} bytes are in its file`
            this.destroy(objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message }))
            return
          }
          this.push(piece.subarray(0, bytesRead))
          if (at === end) this.push(null)
        },
        (error: unknown) => {
          const isSystemError = systemCode(error) !== undefined
          this.destroy(isSystemError ? toFileError(error, `reading the object ${key}`) : (error as Error))
        },
      )
    },
    destroy(error, done) {
      const closed = callbackify(() => file.close())
      closed((failure: Error | null) => done(error ?? failure))
    },
  })
}
