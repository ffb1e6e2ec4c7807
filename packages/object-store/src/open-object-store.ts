import { openFileObjectStore } from './drivers/file/file-object-store.js'
import { openS3ObjectStore, type S3Credentials } from './drivers/s3/s3-object-store.js'
import type { ObjectStore } from './object-store.js'
import type { ObjectStoreAddress } from './parse-object-store-url.js'

/**
 * Opens a store. The file driver creates its folder. `credentials` are for S3; without them the AWS SDK looks in its
 * usual places: environment, profile, container and instance metadata.
 */
export async function openObjectStore(
  address: ObjectStoreAddress,
  { credentials }: { readonly credentials?: S3Credentials | undefined } = {},
): Promise<ObjectStore> {
  return address.driver === 'file' ? await openFileObjectStore(address) : openS3ObjectStore(address, { credentials })
}
