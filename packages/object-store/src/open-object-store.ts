import { openFileObjectStore } from './drivers/file/file-object-store.js'
import type { S3Options } from './drivers/s3/s3-client.js'
import type { ObjectStore } from './object-store.js'
import type { ObjectStoreAddress } from './parse-object-store-url.js'

/** Opens a store. The file driver creates its folder; the options are for S3. */
export async function openObjectStore(address: ObjectStoreAddress, options: S3Options = {}): Promise<ObjectStore> {
  if (address.driver === 'file') return await openFileObjectStore(address)
  // Loaded only when it is used: the SDK takes time to load and tens of MB of memory.
  const { openS3ObjectStore } = await import('./drivers/s3/s3-object-store.js')
  return openS3ObjectStore(address, options)
}
