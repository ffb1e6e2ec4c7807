import { type ArchiveSettings, archiveAddress, openArchive } from './archive.js'
import type { ObjectStoreAddress } from './parse-object-store-url.js'

/** Longest time for the check. Without keys the SDK may wait for the metadata of a cloud machine, which takes some of it. */
const TIMEOUT_MS = 5000

type S3Address = Extract<ObjectStoreAddress, { driver: 's3' }>

/**
 * Writes to the archive, which must exist if it is a bucket, and leaves nothing behind but a folder that is made when it is missing. Ends within 5 s.
 * Returns a sentence with the remedy when the archive cannot be used, without keys.
 */
export async function checkArchive(settings: ArchiveSettings): Promise<string | undefined> {
  let address: ObjectStoreAddress
  try {
    address = archiveAddress(settings)
  } catch (error) {
    return `ARCHIVE_URL is not valid: ${(error as Error).message}`
  }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  try {
    await Promise.race([writeOnce(settings, signal), late])
    return undefined
  } catch (error) {
    if (address.driver === 's3') return explainS3(error, address, signal.aborted)
    const reason = signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : describe(causeOf(error))
    return `ARCHIVE_URL names the folder ${address.directory}, to which this process cannot write (${reason}): correct the path, or the rights and the room of the disk`
  }
}

async function writeOnce(settings: ArchiveSettings, signal: AbortSignal): Promise<void> {
  const store = await openArchive(settings)
  try {
    await store.check({ signal })
  } finally {
    await store.close()
  }
}

function explainS3(error: unknown, { bucket, region, endpoint }: S3Address, isLate: boolean): string {
  const place = endpoint === undefined ? `Amazon S3 in ${region}` : new URL(endpoint).host
  const names = `ARCHIVE_URL names ${place}`
  const cause = causeOf(error)
  const { name } = cause
  const code = systemCodeOf(cause)
  if (isLate) return `${names}, which gives no answer within ${TIMEOUT_MS / 1000} s: check the server and the network`
  if (code === 'ECONNREFUSED')
    return `${names}, where nothing listens: start the S3 server, or correct endpoint in ARCHIVE_URL`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `${names}, and there is no host of this name: correct endpoint or region in ARCHIVE_URL`
  if (/CERT|ISSUER|LEAF_SIGNATURE/.test(code))
    return `${names}, whose certificate is not trusted (${describe(cause)}): correct endpoint in ARCHIVE_URL, or set NODE_EXTRA_CA_CERTS to a PEM file with the certificate of its authority`
  if (/^(EPROTO|ERR_SSL)/.test(code))
    return `${names}, where TLS fails: correct the port, or use http: in endpoint for a server without TLS`
  return explainRefusal(cause, { place, bucket, names, code: name })
}

interface Facts {
  readonly place: string
  readonly bucket: string
  /** The beginning of a sentence. */
  readonly names: string
  /** S3's name of the error. */
  readonly code: string
}

/** What the server, or the search for keys, says. */
function explainRefusal(cause: Cause, { place, bucket, names, code }: Facts): string {
  switch (code) {
    case 'CredentialsProviderError':
      return `${names}, but there are no keys for it: set ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY, or give the AWS SDK keys in one of its usual places`
    case 'InvalidAccessKeyId':
    // Versity's gateway.
    case 'XAdminUserNotFound':
      return `${place} does not know the key of ARCHIVE_S3_ACCESS_KEY_ID: correct it`
    case 'SignatureDoesNotMatch':
      return `${place} refuses the key of ARCHIVE_S3_SECRET_ACCESS_KEY: correct it`
    case 'NoSuchBucket':
      return `${place} has no bucket ${bucket}: create it, or correct ARCHIVE_URL`
    case 'AccessDenied':
      return `${place} refuses to list or to write objects in the bucket ${bucket} (${describe(cause)}): correct the keys, or give them these rights`
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
      return `${place} has the bucket ${bucket} in another region (${describe(cause)}): correct region in ARCHIVE_URL`
  }
  return `${names}, whose bucket ${bucket} cannot be used (${describe(cause)}): correct ARCHIVE_URL, or the server`
}

interface Cause {
  readonly name: string
  readonly message: string
  readonly code?: string
}

/** The error of the system or of the server, which an error of this package has as its cause. */
function causeOf(error: unknown): Cause {
  const { cause } = (error ?? {}) as { cause?: unknown }
  return (typeof cause === 'object' && cause !== null ? cause : error) as Cause
}

/** The SDK wraps errors that it does not take for errors, without their code: it is in the message then. */
function systemCodeOf({ code, message }: Cause): string {
  return code ?? /\b(?:E[A-Z]{4,}|ERR_[A-Z_]+|[A-Z_]*CERT[A-Z_]*)\b/.exec(message)?.[0] ?? ''
}

/** In one line, since some servers answer with a page. */
function describe({ name, message }: Cause): string {
  const text = message === '' || message === 'UnknownError' ? name : message
  return text.replace(/\s+/g, ' ').trim().slice(0, 200)
}
