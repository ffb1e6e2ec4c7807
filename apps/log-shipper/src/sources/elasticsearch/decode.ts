import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import { isMembers, recordOfFields } from '../../fields/log-fields.js'
import type { Members } from '../../fields/member-adder.js'
import type { LogSink } from '../../records/log-sink.js'
import { decodeJson, forEachLine, isBlank } from '../json-lines.js'

/** What the clients can ask for. Documents are only added, so `update` and `delete` are refused one by one. */
const ACTIONS = ['create', 'index', 'update', 'delete'] as const
export type BulkAction = (typeof ACTIONS)[number]

/** One item of a bulk request, in the order of the request. */
export interface BulkItem {
  readonly action: BulkAction
  readonly index: string
  /** The id that the client gave; undefined when it left the choice to the server. */
  readonly id: string | undefined
}

/**
 * Gives each item of a `_bulk` body a verdict. An item is a line with its action and, except for `delete`, a line with its document.
 * @returns the items, for the response
 * @throws DecodeFault when a line that must be an action is none, so that actions and documents cannot be told apart any more
 */
export function decodeBulk(body: Buffer, indexOfPath: string, sink: LogSink): BulkItem[] {
  const items: BulkItem[] = []
  const documents: (Buffer | undefined)[] = []
  let waiting = false
  forEachLine(body, (line) => {
    if (waiting) {
      documents.push(line)
      waiting = false
    } else if (!isBlank(line)) {
      const item = readAction(line, items.length, indexOfPath)
      items.push(item)
      if (item.action === 'delete') documents.push(undefined)
      else waiting = true
    }
  })
  if (waiting)
    throw new DecodeFault('invalid_record', `item ${items.length - 1} has an action and no document: the body ends`)
  // Only now it is certain that the body has the form of a bulk request.
  for (const [index, item] of items.entries()) addItem(item, documents[index], { index, sink })
  return items
}

function readAction(line: Buffer, position: number, indexOfPath: string): BulkItem {
  const action = readObject(line, `the action of item ${position}`)
  const [name, ...others] = Object.keys(action)
  const known = ACTIONS.find((one) => one === name)
  const target = action[name as string]
  if (known === undefined || others.length > 0 || !isMembers(target))
    throw new DecodeFault(
      'invalid_record',
      `the action of item ${position} must be an object with one of ${ACTIONS.join(', ')}`,
    )
  const { _index: index, _id: id } = target
  return {
    action: known,
    index: typeof index === 'string' ? index : indexOfPath,
    id: typeof id === 'string' || typeof id === 'number' ? String(id) : undefined,
  }
}

function readObject(line: Buffer, what: string): Members {
  try {
    const { value } = decodeJson(line)
    if (isMembers(value)) return value
  } catch (error) {
    throw new DecodeFault('invalid_json', `${what} is ${readFault(error).reason}`)
  }
  throw new DecodeFault('not_an_object', `${what} must be a JSON object`)
}

function addItem(
  { action, index: target, id }: BulkItem,
  document: Buffer | undefined,
  { index, sink }: { readonly index: number; readonly sink: LogSink },
): void {
  if (document === undefined || action === 'update') {
    sink.reject(index, 'unsupported', `log lines cannot be changed: ${action} is not supported, use create or index`)
    return
  }
  try {
    const { value, notes } = decodeJson(document)
    if (!isMembers(value)) throw new DecodeFault('not_an_object', 'a document must be a JSON object')
    const record = recordOfFields(value, notes)
    const origin: Members = { ...record.attributes }
    if (target !== '') origin._index ??= target
    if (id !== undefined) origin._id ??= id
    sink.add({ ...record, attributes: origin })
  } catch (error) {
    const { code, reason } = readFault(error)
    sink.reject(index, code, reason)
  }
}
