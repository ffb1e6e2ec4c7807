import { BEGINNING, type Position } from '../../driver/stream-driver.js'

/** The position of the message at an offset: the offset as decimal text. */
export function positionOf(offset: number): Position {
  return offset < 0 ? BEGINNING : String(offset)
}

/** The offset of the first message after a position. */
export function offsetAfter(position: Position): number {
  return position === BEGINNING ? 0 : Number(position) + 1
}

export function comparePositions(a: Position, b: Position): number {
  return offsetAfter(a) - offsetAfter(b)
}
