import { openFileObjectStore } from './drivers/file/file-object-store.js'
import type { S3Options } from './drivers/s3/s3-client.js'
import { openS3ObjectStore } from './drivers/s3/s3-object-store.js'
import type { ObjectStore } from './object-store.js'
import type { ObjectStoreAddress } from './parse-object-store-url.js'

/** Opens a store. The file driver creates its folder; the options are for S3. */
export async function openObjectStore(address: ObjectStoreAddress, options: S3Options = {}): Promise<ObjectStore> {
  return address.driver === 'file' ? await openFileObjectStore(address) : openS3ObjectStore(address, options)
}
