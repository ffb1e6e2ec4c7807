import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { streamErrors } from '../../errors.js'

/** The settings for TLS, as a service's configuration names them. */
export interface TlsFileSettings {
  /** Paths of PEM files. */
  readonly KAFKA_SSL_CA?: string | undefined
  readonly KAFKA_SSL_CERT?: string | undefined
  readonly KAFKA_SSL_KEY?: string | undefined
  /** The name in the certificates of the brokers. Default: the host by which each broker is reached. */
  readonly KAFKA_SSL_SERVER_NAME?: string | undefined
}

/**
 * TLS options, with certificates and keys as PEM text. Each property is read from its file again when it is used, so that a new connection uses
 * certificates that were replaced on disk: do not copy the object for later.
 */
export interface KafkaTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
}

const FILES = { ca: 'KAFKA_SSL_CA', cert: 'KAFKA_SSL_CERT', key: 'KAFKA_SSL_KEY' } as const
type Files = { readonly [name in keyof typeof FILES]?: string }

/** One connection uses the properties one after another, and they must come from the same reading, in ms. */
const REREAD_AFTER_MS = 500

/**
 * TLS options whose certificates and key are read from their files again for each new connection.
 * @throws STREAM_CONFIG when the files cannot be used now. Later, files that cannot be used are reported and the earlier ones stay.
 */
export function openTlsFiles(settings: TlsFileSettings, onProblem?: (error: Error) => void): KafkaTls {
  let files = readFiles(settings)
  let readAtMs = performance.now()
  let isReported = false
  const current = () => {
    if (performance.now() - readAtMs < REREAD_AFTER_MS) return files
    readAtMs = performance.now()
    try {
      files = readFiles(settings)
      isReported = false
    } catch (error) {
      // A certificate and its key are often replaced one after the other.
      if (!isReported) onProblem?.(error as Error)
      isReported = true
    }
    return files
  }
  const names = Object.keys(files) as (keyof Files)[]
  const getters = names.map((name) => [name, { enumerable: true, get: () => current()[name] }] as const)
  const servername = settings.KAFKA_SSL_SERVER_NAME
  return Object.defineProperties({ ...(servername !== undefined && { servername }) }, Object.fromEntries(getters))
}

function readFiles(settings: TlsFileSettings): Files {
  const entries = Object.entries(FILES).flatMap(([name, setting]) => {
    const path = settings[setting]
    return path === undefined ? [] : [[name, readPem(setting, path)] as const]
  })
  const files: Files = Object.fromEntries(entries)
  try {
    createSecureContext(files)
  } catch (cause) {
    throw unusable(problemOf(files, cause as NodeJS.ErrnoException), cause)
  }
  return files
}

function readPem(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw unusable(`${setting} names ${path}, which cannot be read (${(cause as Error).message})`, cause)
  }
}

function problemOf(files: Files, { code = '', message }: NodeJS.ErrnoException): string {
  if (/KEY_VALUES_MISMATCH/.test(code)) return 'KAFKA_SSL_KEY is not the private key of the certificate KAFKA_SSL_CERT'
  for (const name of ['ca', 'cert', 'key'] as const) {
    if (files[name] === undefined) continue
    try {
      createSecureContext({ [name]: files[name] })
    } catch {
      return `${FILES[name]} names a file that is not valid PEM (${message})`
    }
  }
  return `the files of KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY cannot be used (${message})`
}

function unusable(message: string, cause: unknown): Error {
  return streamErrors.STREAM_CONFIG({ message, cause: cause as Error })
}
