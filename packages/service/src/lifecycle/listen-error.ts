import { wrapError } from '@millrace/contracts'
import { serviceErrors } from './service-errors.js'

/** Where a server listens. */
export interface ListenAddress {
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
  /** 0 lets the system choose. */
  readonly port: number
  /** Name of the setting with the port, for the message. */
  readonly setting?: string | undefined
}

/** Explains in one sentence why a server cannot listen and what to change. */
export function toListenError(error: unknown, { host = '127.0.0.1', port, setting }: ListenAddress): Error {
  const code = codeOf(error)
  const remedy = setting === undefined ? 'choose another port' : `set ${setting} to another port`
  const details = { host, port }
  if (code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use: stop the process that holds it, or ${remedy}`
    return serviceErrors.PORT_IN_USE({ message, cause: error, details })
  }
  if (code === 'EACCES') {
    const message = `port ${port} may not be opened by this user because ports below 1024 need privileges: ${remedy}`
    return serviceErrors.PORT_DENIED({ message, cause: error, details })
  }
  if (code === 'EADDRNOTAVAIL') {
    return serviceErrors.ADDRESS_NOT_LOCAL({
      message: `${host} is not an address of this machine`,
      cause: error,
      details,
    })
  }
  return wrapError(`listening on ${host}:${port}`, error)
}

/** grpc-js throws an error without a code; the code is part of its text. */
function codeOf(error: unknown): string | undefined {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return code
  return typeof message === 'string' ? /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL)\b/.exec(message)?.[1] : undefined
}
