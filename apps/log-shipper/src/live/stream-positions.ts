import { coreErrors } from '@millrace/contracts'
import type { Position } from '@millrace/streams'

const ENTRY = /^(\d{1,5})=([\w.-]{0,64})$/
const LENGTH_MAX = 32_768

/** Positions of all partitions as one text without spaces. */
export function encodePositions(positions: ReadonlyMap<number, Position>): string {
  return [...positions].map(([partition, position]) => `${partition}=${position}`).join(',')
}

/** @throws INVALID_REQUEST when the text was not made by `encodePositions` */
export function decodePositions(text: string): Map<number, Position> {
  const positions = new Map<number, Position>()
  const entries = text.length > LENGTH_MAX ? [''] : text.split(',')
  for (const entry of entries) {
    const [, partition, position] = ENTRY.exec(entry) ?? []
    if (partition === undefined || position === undefined)
      throw coreErrors.INVALID_REQUEST({ message: 'Last-Event-ID is not the id of an event of this stream' })
    positions.set(Number(partition), position)
  }
  return positions
}
