import { type Hash64, hashText } from '@millrace/contracts'
import { errors } from '../errors.js'

/**
 * The groups on the pages before, in a cursor of a list whose order moves while events come in, where a place would leave out what has risen above it and
 * repeat what has sunk below. Up to NAMED_MAX are marked one by one, so the next page has the first groups that are not among them; of more there is one mark
 * of all, which says whether the first so many are still those.
 */
export interface ShownGroups {
  readonly count: number
  /** base64url: 6 bytes a group, or all of them in exclusive or. */
  readonly marks: string
}

/** 5,400 characters of a cursor, which has to fit into an address. */
const NAMED_MAX = 500
const MARK_BYTES = 6

export const NONE_SHOWN: ShownGroups = { count: 0, marks: '' }

/** Whether it may come from this service; a cursor is anybody's invention. */
export function isShownGroups(content: unknown): content is ShownGroups {
  if (typeof content !== 'object' || content === null) return false
  const { count, marks } = content as Record<string, unknown>
  if (!Number.isSafeInteger(count) || (count as number) < 1 || typeof marks !== 'string') return false
  const groups = (count as number) > NAMED_MAX ? 1 : (count as number)
  return /^[\w-]*$/.test(marks) && Buffer.byteLength(marks, 'base64url') === groups * MARK_BYTES
}

/** Those of `ranked` that come on the next page, and one more where there is one. @throws CURSOR_OUTDATED */
export function takeUnshown<Item>(
  ranked: readonly Item[],
  shown: ShownGroups,
  { limit, nameOf }: { readonly limit: number; readonly nameOf: (item: Item) => string },
): Item[] {
  const { count, marks } = shown
  if (count > NAMED_MAX) {
    const isSame = markAll(ranked.slice(0, count).map(nameOf)) === marks && ranked.length >= count
    if (!isSame) throw errors.CURSOR_OUTDATED()
    return ranked.slice(count, count + limit + 1)
  }
  const known = new Set(listMarks(marks))
  const unshown: Item[] = []
  for (const item of ranked) {
    if (unshown.length > limit) break
    if (known.size === 0 || !known.has(markOf(nameOf(item)))) unshown.push(item)
  }
  return unshown
}

export function addShown({ count, marks }: ShownGroups, names: readonly string[]): ShownGroups {
  const total = count + names.length
  if (total <= NAMED_MAX) return { count: total, marks: toText([...listMarks(marks), ...names.map(markOf)]) }
  return { count: total, marks: toText([joinMarks([...listMarks(marks), ...names.map(markOf)])]) }
}

const hash: Hash64 = { lo: 0, hi: 0 }

function markOf(name: string): number {
  hashText(name, 0, hash)
  return (hash.hi & 0xffff) * 2 ** 32 + hash.lo
}

function markAll(names: readonly string[]): string {
  return toText([joinMarks(names.map(markOf))])
}

function joinMarks(marks: readonly number[]): number {
  let [high, low] = [0, 0]
  for (const mark of marks) {
    high ^= Math.floor(mark / 2 ** 32)
    low ^= mark % 2 ** 32
  }
  return high * 2 ** 32 + (low >>> 0)
}

function listMarks(text: string): number[] {
  const bytes = Buffer.from(text, 'base64url')
  return Array.from({ length: bytes.length / MARK_BYTES }, (_, index) =>
    bytes.readUIntBE(index * MARK_BYTES, MARK_BYTES),
  )
}

function toText(marks: readonly number[]): string {
  const bytes = Buffer.alloc(marks.length * MARK_BYTES)
  for (const [index, mark] of marks.entries()) bytes.writeUIntBE(mark, index * MARK_BYTES, MARK_BYTES)
  return bytes.toString('base64url')
}
