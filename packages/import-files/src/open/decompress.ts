import { PassThrough, type Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { importFilesErrors } from '../errors.js'

export type Compression = 'none' | 'gzip' | 'zstd'

/** By the first bytes of the file, whatever its name says. */
export function detectCompression(head: Uint8Array): Compression {
  const starts = (magic: readonly number[]) => magic.every((byte, index) => head[index] === byte)
  if (starts([0x1f, 0x8b])) return 'gzip'
  return starts([0x28, 0xb5, 0x2f, 0xfd]) ? 'zstd' : 'none'
}

/**
 * The content of a file, piece by piece. A file that ends too early or is damaged gives what can be read, then the error.
 * @throws IMPORT_FILE_UNREADABLE
 */
export async function* decompress(source: Readable, compression: Compression): AsyncGenerator<Buffer> {
  const transform = createDecompressor(compression)
  source.once('error', (error) => transform.destroy(new SourceError(error)))
  source.pipe(transform)
  try {
    yield* transform as AsyncIterable<Buffer>
  } catch (error) {
    if (error instanceof SourceError) throw error.cause
    const message = `the file is not valid ${compression}: ${(error as Error).message}`
    throw importFilesErrors.IMPORT_FILE_UNREADABLE({ message, cause: error })
  } finally {
    source.destroy()
  }
}

/** An error of the source, which is not an error of the file. */
class SourceError extends Error {
  override readonly cause: Error

  constructor(cause: Error) {
    super(cause.message)
    this.cause = cause
  }
}

function createDecompressor(compression: Compression): Transform {
  if (compression === 'none') return new PassThrough()
  if (compression === 'gzip') return zlib.createGunzip()
  const create = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress
  if (create === undefined)
    throw importFilesErrors.IMPORT_FILE_UNREADABLE({
      message: `zstd needs Node 22.15 or later, and this is Node ${process.versions.node}`,
    })
  return create()
}
