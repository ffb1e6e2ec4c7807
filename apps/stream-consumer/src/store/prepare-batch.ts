import { FLAG } from '@millrace/contracts'
import { ConsumedCounts } from '@millrace/streams'
import type { DedupWindows } from '../deduplicate/dedup-windows.js'
import type { HashWindow } from '../deduplicate/hash-window.js'
import { buildDays } from './build-days.js'
import { eventKeys } from './event-keys.js'
import { type FrameView, openFrame, WORD, WORDS } from './frame-view.js'
import {
  type EventFrame,
  type PreparedBatch,
  type PreparedFrame,
  type RecordRef,
  UNKNOWN_TENANT,
  VERDICT,
} from './prepared-batch.js'
import type { RowBuffers } from './row-buffers.js'

/**
 * Decides the verdict on every record of `frames` and lays out the rows of new records for COPY. Works in memory only
 * and parses no JSON. The deduplication windows remember the new ids at once: when the batch is not committed, they
 * must be thrown away. Frames of a partition must be in stream order.
 */
export function prepareBatch(
  frames: readonly EventFrame[],
  { windows, buffers, nowMs }: { windows: DedupWindows; buffers: RowBuffers; nowMs: number },
): PreparedBatch {
  windows.evict(nowMs)
  const ledger = new ConsumedCounts()
  const typed: RecordRef[] = []
  const records = frames.reduce((sum, frame) => sum + frame.records, 0)
  const frameOf = new Uint32Array(records)
  const indexOf = new Uint32Array(records)
  let stored = 0
  const preparedFrames = frames.map((frame, at) => {
    const view = tryOpen(frame)
    const hashes = eventKeys(frame.records, view)
    const prepared: PreparedFrame = { frame, view, hashes, verdicts: null, duplicates: 0, deadLettered: 0 }
    if (view === null) return deadLetterWhole(prepared, ledger)
    countTallies(prepared, view, ledger)
    const from = stored
    stored = decideVerdicts(prepared, view, { windows, nowMs, ledger, indexOf, stored })
    frameOf.fill(at, from, stored)
    collectTyped(prepared, view, typed)
    return prepared
  })
  const candidates = { frameOf: frameOf.subarray(0, stored), indexOf: indexOf.subarray(0, stored) }
  return {
    frames: preparedFrames,
    days: buildDays(preparedFrames, candidates, buffers),
    ledger,
    typed,
    windows,
    ...candidates,
  }
}

function tryOpen(frame: EventFrame): FrameView | null {
  try {
    return openFrame(frame.payload, frame.records)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function deadLetterWhole(prepared: PreparedFrame, ledger: ConsumedCounts): PreparedFrame {
  const { partition, producer, records, isReplay } = prepared.frame
  prepared.verdicts = new Uint8Array(records).fill(VERDICT.deadLettered)
  prepared.deadLettered = records
  const count = ledger.of(partition, producer, UNKNOWN_TENANT)
  if (!isReplay) {
    count.accepted += records
    count.deadLettered += records
  }
  return prepared
}

function countTallies({ frame }: PreparedFrame, view: FrameView, ledger: ConsumedCounts): void {
  for (const { tenantId, accepted, rejected } of view.reader.tallies()) {
    const count = ledger.of(frame.partition, frame.producer, tenantId)
    count.accepted += accepted
    count.rejected += rejected
  }
}

interface VerdictContext {
  windows: DedupWindows
  nowMs: number
  ledger: ConsumedCounts
  indexOf: Uint32Array
  stored: number
}

/** Sets the verdict on every record of a frame. Returns the number of records of the batch to store so far. */
function decideVerdicts(
  prepared: PreparedFrame,
  view: FrameView,
  { windows, nowMs, ledger, indexOf, stored }: VerdictContext,
): number {
  const { partition, producer, isReplay } = prepared.frame
  const { words, records } = view
  if (records === 0) return stored
  const isNew = new Uint8Array(records)
  windows.of(partition).add(prepared.hashes, nowMs, isNew)
  if (windows.hasHashesWithoutUsers(partition, nowMs)) findHashesWithoutUsers(view, windows.of(partition), isNew)
  let tenantId = words[WORD.tenantId] as number
  let count = ledger.of(partition, producer, tenantId)
  for (let index = 0, at = WORD.tenantId; index < records; index++, at += WORDS) {
    const tenant = words[at] as number
    if (tenant !== tenantId) {
      tenantId = tenant
      count = ledger.of(partition, producer, tenant)
    }
    // A replayed record was counted as dead-lettered before; its new verdict replaces that.
    if (isReplay) count.deadLettered--
    if (isNew[index] === 1) {
      count.stored++
      indexOf[stored++] = index
    } else {
      count.duplicate++
      prepared.verdicts ??= new Uint8Array(records)
      prepared.verdicts[index] = VERDICT.duplicate
      prepared.duplicates++
    }
  }
  return stored
}

/** Marks records as known whose message id is in a journal row from before users were part of the hashes. */
function findHashesWithoutUsers({ words, records }: FrameView, window: HashWindow, isNew: Uint8Array): void {
  for (let index = 0, at = 0; index < records; index++, at += WORDS) {
    if (window.has(words[at + WORD.messageHashLo] as number, words[at + WORD.messageHashHi] as number)) isNew[index] = 0
  }
}

function collectTyped(frame: PreparedFrame, view: FrameView, typed: RecordRef[]): void {
  for (let index = 0, at = WORD.seriesTypeFlags; index < view.records; index++, at += WORDS) {
    if ((((view.words[at] as number) >>> 24) & FLAG.typed) !== 0 && (frame.verdicts?.[index] ?? 0) === VERDICT.stored) {
      typed.push({ frame, index })
    }
  }
}
