import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where objects are kept. */
export type ObjectStoreAddress =
  | { readonly driver: 'file'; readonly directory: string }
  | {
      readonly driver: 's3'
      readonly bucket: string
      /** Empty, or parts with a slash after each. */
      readonly prefix: string
      readonly region: string
      /** Of a server other than Amazon's. */
      readonly endpoint: string | undefined
      /** Whether the bucket is a part of the path and not of the host name. */
      readonly isPathStyle: boolean
      /** Encryption by the server: `AES256` or `aws:kms`; undefined leaves it to the bucket's own rule. */
      readonly encryption: 'AES256' | 'aws:kms' | undefined
      readonly kmsKeyId: string | undefined
    }

const S3_PARAMETERS = ['endpoint', 'region', 'path_style', 'encryption', 'kms_key_id'] as const
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const PREFIX = /^(?:[A-Za-z0-9_=+@:,~-][A-Za-z0-9._=+@:,~-]*\/)*$/

/**
 * Parses `file:/var/lib/millrace/archive`, `file:archive` (relative to the working directory) or
 * `s3://bucket/prefix?endpoint=https://host:9000&region=eu-central-1&path_style=true&encryption=AES256`. `region` is
 * `us-east-1` by default, and `path_style` is true by default when there is an endpoint.
 * @throws Error with a sentence for operators, which does not repeat the URL, since it may hold a password.
 */
export function parseObjectStoreUrl(text: string): ObjectStoreAddress {
  const scheme = /^([a-z0-9]+):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === 'file') return { driver: 'file', directory: parseDirectory(text.slice('file:'.length)) }
  if (scheme === 's3') return parseS3(text)
  throw new Error('it must begin with file: or s3:')
}

function parseDirectory(path: string): string {
  if (path === '' || path.includes('\0')) throw new Error('file: needs a folder, for example file:/var/lib/archive')
  if (/[?#]/.test(path)) throw new Error('file: takes no parameters; ? is written %3F and # is written %23')
  if (!path.startsWith('//')) return resolve(decodePath(path))
  decodePath(path)
  try {
    return resolve(fileURLToPath(new URL(`file:${path}`)))
  } catch (cause) {
    throw new Error('file:// must be followed by an absolute path on this machine', { cause })
  }
}

/** The path with the characters that percent signs stand for. */
function decodePath(path: string): string {
  try {
    const decoded = decodeURIComponent(path)
    if (!decoded.includes('\0')) return decoded
  } catch {
    // The same sentence for both.
  }
  throw new Error('a percent sign must be written %25, and %00 is not allowed')
}

function parseS3(text: string): ObjectStoreAddress {
  if (!URL.canParse(text)) throw new Error('it is not a URL')
  const url = new URL(text)
  const { username, password, port, hostname: bucket, searchParams } = url
  if (username !== '' || password !== '') throw new Error('it must not hold credentials')
  if (port !== '') throw new Error('s3: is followed by the bucket; the host of another server belongs into endpoint=')
  if (!BUCKET.test(bucket)) throw new Error('the bucket must have 3 to 63 characters a-z 0-9 . -')
  if (url.hash !== '') throw new Error('it must not have a part after #')
  const prefix = decodePath(url.pathname).replace(/^\/+|\/+$/g, '')
  if (!PREFIX.test(prefix === '' ? '' : `${prefix}/`)) throw new Error('the prefix has a character that is not allowed')
  for (const name of searchParams.keys())
    if (!S3_PARAMETERS.some((known) => known === name) || searchParams.getAll(name).length > 1)
      throw new Error(`the parameter ${name} is unknown or comes twice; there are ${S3_PARAMETERS.join(', ')}`)
  for (const [name, value] of searchParams) if (value === '') throw new Error(`the parameter ${name} has no value`)
  const encryption = parseChoice(searchParams, 'encryption', ['AES256', 'aws:kms'])
  if (searchParams.has('kms_key_id') && encryption !== 'aws:kms') throw new Error('kms_key_id needs encryption=aws:kms')
  const endpoint = parseEndpoint(searchParams.get('endpoint'))
  const pathStyle = parseChoice(searchParams, 'path_style', ['true', 'false'])
  return {
    driver: 's3',
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    region: searchParams.get('region') ?? 'us-east-1',
    endpoint,
    isPathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === 'true',
    encryption,
    kmsKeyId: searchParams.get('kms_key_id') ?? undefined,
  }
}

function parseEndpoint(text: string | null): string | undefined {
  if (text === null) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new Error('endpoint must be an http: or https: URL')
  if (url.username !== '' || url.password !== '') throw new Error('endpoint must not hold credentials')
  if (url.search !== '' || url.hash !== '') throw new Error('endpoint must not hold ? or #')
  return url.href
}

function parseChoice<T extends string>(
  parameters: URLSearchParams,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = parameters.get(name)
  if (value === null) return undefined
  const choice = choices.find((one) => one === value)
  if (choice === undefined) throw new Error(`${name} must be ${choices.join(' or ')}`)
  return choice
}
