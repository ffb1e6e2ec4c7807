import { BATCH_HEADER_BYTES, SIDE_BYTES } from '@millrace/contracts'
import { WORD, WORDS } from './frame-view.js'
import type { RecordRef } from './prepared-batch.js'

/**
 * Returns record `index` of a frame as a batch of its own, byte for byte, with its series and points but without
 * tallies: the form in which a dead letter is kept and replayed.
 */
export function extractRecord({ frame: { frame, view }, index }: RecordRef): Buffer {
  if (view === null) return Buffer.from(frame.payload)
  const { reader } = view
  const allKeys = reader.seriesKeys()
  const base = (view.words[index * WORDS + WORD.seriesTypeFlags] as number) & 0xffff
  const keys = [allKeys[base] ?? '']
  const points: { series: number; value: number }[] = []
  reader.forEachPoint((record, series, value) => {
    if (record !== index) return
    points.push({ series: keys.push(allKeys[series] ?? '') - 1, value })
  })
  const series = keys.map((key) => Buffer.from(key))
  const seriesOffset = BATCH_HEADER_BYTES + SIDE_BYTES
  const pointsOffset = series.reduce((sum, key) => sum + 4 + key.length, seriesOffset + 4)
  const talliesOffset = pointsOffset + 8 + 16 * points.length
  const rowsOffset = talliesOffset + 4
  const { start, end } = reader.rowRange(index)
  const out = Buffer.alloc(rowsOffset + end - start)
  let at = 0
  for (const word of [1, seriesOffset, pointsOffset, talliesOffset, rowsOffset, end - start])
    at = out.writeUInt32LE(word, at)
  reader.payload.copy(out, at, reader.sideOffset + index * SIDE_BYTES, reader.sideOffset + (index + 1) * SIDE_BYTES)
  out.writeUInt32LE(0, at + WORD.rowOffset * 4)
  out.writeUInt16LE(0, at + WORD.seriesTypeFlags * 4)
  at = out.writeUInt32LE(series.length, at + SIDE_BYTES)
  for (const key of series) {
    at = out.writeUInt32LE(key.length, at)
    at += key.copy(out, at)
  }
  at = out.writeUInt32LE(points.length, at)
  at = out.writeUInt32LE(0, at)
  for (const point of points) {
    at = out.writeUInt32LE(0, at)
    at = out.writeUInt32LE(point.series, at)
    at = out.writeDoubleLE(point.value, at)
  }
  at = out.writeUInt32LE(0, at)
  reader.payload.copy(out, at, start, end)
  return out
}
