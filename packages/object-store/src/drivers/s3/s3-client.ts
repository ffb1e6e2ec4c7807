import { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStoreAddress } from '../../parse-object-store-url.js'

/** Static keys. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3Options {
  /** Default: where the AWS SDK looks for them: environment, profile, container and instance metadata. */
  readonly credentials?: S3Credentials | undefined
  /** Certificates of authorities, as PEM, instead of those that Node knows: for an https endpoint with one of your own. */
  readonly ca?: string | undefined
  /** Longest time without a byte from or to the server, for each of `ATTEMPTS_MAX` attempts. Default 30,000. */
  readonly idleTimeoutMs?: number | undefined
}

export type S3Address = Extract<ObjectStoreAddress, { driver: 's3' }>

const CONNECT_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 30_000
/** Of each request, with pauses of some hundred milliseconds between them. */
const ATTEMPTS_MAX = 4

export function createS3Client(address: S3Address, { credentials, ca, idleTimeoutMs }: S3Options): S3Client {
  return new S3Client({
    region: address.region,
    forcePathStyle: address.isPathStyle,
    maxAttempts: ATTEMPTS_MAX,
    // The SDK would open a connection for each part, which `close` does not end.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      ...(ca !== undefined && { httpsAgent: { ca } }),
    },
    ...(address.endpoint !== undefined && { endpoint: address.endpoint }),
    ...(credentials !== undefined && { credentials }),
  })
}
