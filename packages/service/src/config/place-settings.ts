import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { build, type Common, type Optional, type Setting } from './settings.js'

const HOST = /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?)$/
const NAMED_HOST = /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+(%\w+)?\])$/

/** A host name or an IP address on which a server listens. */
export function host(options: Common<string>): Setting<string> {
  const parser = z.string().regex(HOST, 'must be a host name or an IP address')
  return build(parser, options, {})
}

/** Where a gRPC server is, as host:port. */
export function address(options: Common<string>): Setting<string> {
  const parser = z.string().refine(isAddress, { error: 'must be host:port' })
  return build(parser, options, { limits: 'host:port' })
}

/** Whether the text is host:port; an IPv6 address has square brackets. */
export function isAddress(value: string): boolean {
  const [, name = '', port = ''] = /^(.+):(\d{1,5})$/.exec(value) ?? []
  return NAMED_HOST.test(name) && Number(port) >= 1 && Number(port) <= 65_535
}

/** A directory that is there or can be created, and that this process may write to. Nothing is created here. */
export function directory(options: Common<string> & Optional): Setting<string | undefined>
export function directory(options: Common<string>): Setting<string>
export function directory(options: Common<string> & Partial<Optional>): Setting<string | undefined> {
  const parser = z.string().superRefine((value, context) => {
    const problem = findDirectoryProblem(value)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  return build(parser, options, {})
}

/** A file with certificates or a key as PEM text. The value is its path, so that a file that is replaced is read again. */
export function pemFile(options: Common<string> & Optional): Setting<string | undefined> {
  const parser = z.string().superRefine((value, context) => {
    const problem = findPemProblem(value)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  return build(parser, options, { limits: 'a PEM file' })
}

function findPemProblem(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').includes('-----BEGIN ') ? undefined : 'must be a PEM file'
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    return `must be a file that this process can read (${code === 'ENOENT' ? 'there is none of this name' : code})`
  }
}

function findDirectoryProblem(path: string): string | undefined {
  for (let existing = resolve(path); ; existing = dirname(existing)) {
    const isDirectory = isDirectoryThere(existing)
    if (isDirectory === undefined && existing !== dirname(existing)) continue
    if (!isDirectory) return `must be a directory (${existing} is a file)`
    try {
      accessSync(existing, constants.W_OK | constants.X_OK)
      return undefined
    } catch (error) {
      const isReadOnly = (error as NodeJS.ErrnoException).code === 'EROFS'
      return `must be a directory that this process may write to (${existing} is ${isReadOnly ? 'on a read-only disk' : 'not writable'})`
    }
  }
}

/** Undefined when there is nothing of this name. */
function isDirectoryThere(path: string): boolean | undefined {
  try {
    return statSync(path).isDirectory()
  } catch {
    return undefined
  }
}
