import type { ObjectStore } from '@millrace/object-store'
import { archiveErrors } from './archive-errors.js'

/** The bytes of an object. @throws ARCHIVE_CORRUPT when there are more than `bytesMax`, before they are read; errors of the object store */
export async function readObject(store: ObjectStore, key: string, bytesMax: number): Promise<Buffer> {
  const { info, body } = await store.get(key)
  if (info.bytes > bytesMax) {
    body.destroy()
    throw archiveErrors.ARCHIVE_CORRUPT({
      message: `the object ${key} has ${info.bytes} bytes, more than the ${bytesMax} that are possible`,
      details: { key },
    })
  }
  const pieces: Uint8Array[] = []
  for await (const piece of body as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces)
}
