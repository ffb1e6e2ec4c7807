import { errors } from '../errors.js'

/** A cursor as clients see it. They are opaque but not secret: what one holds is checked like any other input. */
export function encodeCursor(content: unknown): string {
  return Buffer.from(JSON.stringify(content), 'utf8').toString('base64url')
}

/**
 * The content of a cursor, null for an empty one. `isContent` says whether it is of the kind this request issues.
 * @throws INVALID_CURSOR
 */
export function decodeCursor<T>(cursor: string, isContent: (content: unknown) => content is T): T | null {
  if (cursor === '') return null
  let content: unknown
  try {
    content = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch (cause) {
    throw errors.INVALID_CURSOR({ cause })
  }
  if (!isContent(content)) throw errors.INVALID_CURSOR()
  return content
}
