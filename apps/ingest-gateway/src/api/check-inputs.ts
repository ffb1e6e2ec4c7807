import type { OperationInputs } from '@millrace/contracts/http'
import type { Request } from 'express'
import { errors } from '../errors.js'
import type { KnownParameter } from '../wires/wire.js'
import { closestName } from './closest-name.js'

/** What the check needs to know of an operation. */
export type CheckedInputs = Pick<OperationInputs, 'query' | 'ignoresOtherParameters' | 'body'> & {
  /** Whether the route itself rejects unknown fields of a body. */
  readonly checksFields: boolean
}

/**
 * Throws INVALID_REQUEST for input that the operation would not use: an unknown, repeated, empty or missing query parameter, a body where none is taken,
 * with another content type, or with unknown or empty fields. Input that is silently ignored makes an answer mean something else than was asked.
 */
export async function checkInputs(req: Request, inputs: CheckedInputs): Promise<void> {
  if (!inputs.ignoresOtherParameters) checkQuery(req.url, inputs.query)
  await checkBody(req, inputs)
}

/** The same for the query string of `url` alone. */
export function checkQuery(url: string, known: readonly KnownParameter[]): void {
  const names = known.map(({ name }) => name)
  const seen = new Map<string, string>()
  for (const [name, value] of readQueryString(url)) {
    if (!names.includes(name)) throw unknown('parameter', name, names)
    if (seen.has(name))
      throw invalidField(name, `the parameter ${name} occurs more than once; lists are separated by commas`)
    if (value === '') throw invalidField(name, `the parameter ${name} is empty: leave it out, or give it a value`)
    seen.set(name, value)
  }
  for (const { name, isRequired, allowed } of known) {
    const value = seen.get(name)
    if (value === undefined && isRequired) throw invalidField(name, `the parameter ${name} is required`)
    if (value !== undefined && allowed?.includes(value) === false) throw notAllowed(name, value, allowed)
  }
}

function* readQueryString(url: string): Generator<[name: string, value: string]> {
  const start = url.indexOf('?')
  if (start < 0) return
  for (const pair of url.slice(start + 1).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    yield [name, equals < 0 ? '' : decode(pair.slice(equals + 1))]
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (error) {
    throw errors.INVALID_REQUEST({ message: 'the query string is not valid percent-encoded UTF-8', cause: error })
  }
}

async function checkBody(req: Request, { body, checksFields }: CheckedInputs): Promise<void> {
  if (!(await hasBody(req))) {
    if (body?.isRequired === true)
      throw invalidField('body', `the request needs a body of ${body.contentTypes.join(' or ')}`)
    return
  }
  const sent: unknown = req.body
  if (body === undefined) {
    // Some clients send {} with every request.
    if (isObject(sent) && Object.keys(sent).length === 0) return
    throw invalidField(
      'body',
      `this request takes no body${req.method === 'GET' ? ': fields go into the query string' : ''}`,
    )
  }
  const [type = ''] = (req.headers['content-type'] ?? '').split(';', 1)
  if (!body.contentTypes.includes(type.trim().toLowerCase()))
    throw invalidField(
      'content-type',
      `content-type must be ${body.contentTypes.join(' or ')}, and is ${type === '' ? 'missing' : type.slice(0, 100)}`,
    )
  if (!isObject(sent)) throw invalidField('body', 'the body must be a JSON object')
  for (const [name, value] of Object.entries(sent)) {
    if (!checksFields && !body.fields.includes(name)) throw unknown('field', name, body.fields)
    if (value === '') throw invalidField(name, `the field ${name} is empty: leave it out, or give it a value`)
  }
}

/** Whether at least one byte of a body was sent. A chunked body may turn out to be empty. */
async function hasBody(req: Request): Promise<boolean> {
  if (req.headers['transfer-encoding'] === undefined) return Number(req.headers['content-length'] ?? 0) > 0
  // A body that express.json has read.
  if (req.readableEnded || req.body !== undefined) return req.body !== undefined
  for await (const chunk of req as AsyncIterable<Buffer>) if (chunk.length > 0) return true
  return false
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The error for a name that is not known, with the ones that are. */
function unknown(what: 'parameter' | 'field', name: string, known: readonly string[]): Error {
  const shown = name.slice(0, 100)
  const meant = closestName(name, known)
  const question = meant === undefined ? '' : `; did you mean ${meant}?`
  const list = known.length === 0 ? `there are no ${what}s here` : `the ${what}s are ${known.join(', ')}`
  return errors.INVALID_REQUEST({
    message: `unknown ${what} ${shown}; ${list}${question}`,
    details: { field: shown, known, ...(meant !== undefined && { did_you_mean: meant }) },
  })
}

function notAllowed(name: string, value: string, allowed: readonly string[]): Error {
  const meant = closestName(value, allowed)
  const question = meant === undefined ? '' : `; did you mean ${meant}?`
  return errors.INVALID_REQUEST({
    message: `${name} must be ${allowed.join(' or ')}, and is ${value.slice(0, 100)}${question}`,
    details: { field: name, allowed, ...(meant !== undefined && { did_you_mean: meant }) },
  })
}

function invalidField(field: string, message: string): Error {
  return errors.INVALID_REQUEST({ message, details: { field } })
}
