import type { Stack } from '@millrace/local-stack'
import { say } from '../lib/results.js'
import { type LoadPlan, MillracePhases, type PeerFigures, PeerPhases, type PhaseFigures } from './phases.js'
import { findTraceId, plantLines } from './plant-lines.js'
import { measurePeerSearches, measureSearches, type SearchRow } from './searches.js'
import { checkSample, type SampleCheck, StoredLines } from './stored-lines.js'
import type { VictoriaLogs } from './victoria-logs.js'
import { WIRES, type WireName } from './wires.js'

const SAMPLE = 40
const PLANTED = 10
/** Of an open loop: fewer lines a second come in smaller requests, not in rarer ones. */
const REQUESTS_PER_SECOND = 200
const OPEN_LOOP_CONNECTIONS = 64
const RATE_DURING_SEARCH = 20_000
const WARM_UP_SECONDS = 10

export interface LogsPlan extends LoadPlan {
  /** The first one is also that of the open loops and of the lines for the searches. */
  readonly wires: readonly [WireName, ...WireName[]]
  readonly seconds: number
  readonly linesPerRequest: number
  readonly connections: number
  /** Lines a second of the open loops. */
  readonly rates: readonly number[]
  /** Lines that are stored before the searches. */
  readonly lines: number
  /** How often each search is sent. */
  readonly rounds: number
}

/** Both servers under test; the peer only where it can be built. */
export interface Servers {
  readonly stack: Stack
  readonly peer: VictoriaLogs | undefined
}

export type LogsFigures = Awaited<ReturnType<typeof measureLogs>>

/** Runs every part of the plan and checks what was stored. */
export async function measureLogs({ stack, peer }: Servers, plan: LogsPlan) {
  const stored = await StoredLines.open(stack)
  try {
    const ours = new MillracePhases(stack, stored, plan)
    const before = await stored.sizes()
    const { sustained, peers } = await runWires(ours, peer && new PeerPhases(peer, plan), plan)
    const rates = new Map<number, PhaseFigures>()
    for (const rate of plan.rates) rates.set(rate, await runOpenLoop(ours, plan, rate))
    await fillUp(ours, plan)
    await stored.wait('stored', ours.acknowledged)
    const after = await stored.sizes()
    const sizes = {
      disk_bytes_per_line: (after.bytes - before.bytes) / ours.acknowledged,
      wal_bytes_per_line: (after.wal - before.wal) / ours.acknowledged,
    }
    const planted = await plantLines({ stack, peer, count: PLANTED })
    await stored.wait('stored', ours.acknowledged + planted)
    const searches = await search({ stack, peer }, ours, plan)
    const check = await verify(stack, stored, { plan, acknowledged: ours.acknowledged, planted })
    return { sustained, peers, rates, sizes, searches, check, acknowledged: ours.acknowledged }
  } finally {
    await stored.close()
  }
}

/** Both servers take turns, wire by wire. */
async function runWires(ours: MillracePhases, theirs: PeerPhases | undefined, plan: LogsPlan) {
  const { seconds, linesPerRequest, connections } = plan
  const load = { linesPerRequest, connections, seconds }
  const warmUp = { ...load, seconds: Math.min(WARM_UP_SECONDS, seconds) }
  const sustained = new Map<WireName, PhaseFigures>()
  const peers = new Map<WireName, PeerFigures>()
  for (const wire of plan.wires) {
    await ours.run(`${wire}, warm-up`, { ...warmUp, wire })
    sustained.set(wire, await ours.run(wire, { ...load, wire }))
    if (theirs === undefined || WIRES[wire].peerPath === undefined) continue
    await theirs.run(`${wire}, VictoriaLogs, warm-up`, { ...warmUp, wire })
    peers.set(wire, await theirs.run(`${wire}, VictoriaLogs`, { ...load, wire }))
  }
  return { sustained, peers }
}

function runOpenLoop(ours: MillracePhases, { wires: [wire], seconds }: LogsPlan, rate: number): Promise<PhaseFigures> {
  return ours.run(`${wire}, open loop at ${rate} lines/s`, {
    wire,
    linesPerRequest: Math.max(1, Math.round(rate / REQUESTS_PER_SECOND)),
    connections: OPEN_LOOP_CONNECTIONS,
    seconds,
    linesPerSecond: rate,
  })
}

/** Stores what is missing to the number of lines that searches are measured on. */
async function fillUp(ours: MillracePhases, { wires: [wire], linesPerRequest, connections, lines }: LogsPlan) {
  const missing = lines - ours.acknowledged
  if (missing <= 0) return
  const load = { wire, linesPerRequest, connections, seconds: 3600, linesMax: missing }
  await ours.run('lines for the searches', load)
}

export interface Searches {
  readonly idle: readonly SearchRow[]
  readonly whileLinesArrive: readonly SearchRow[]
  readonly peer: readonly SearchRow[] | undefined
}

/** While nothing else happens, then while lines arrive. */
async function search({ stack, peer }: Servers, ours: MillracePhases, plan: LogsPlan): Promise<Searches> {
  const rounds = { rounds: plan.rounds, traceId: await findTraceId(stack) }
  const target = { url: stack.url, key: stack.adminKey }
  say('searches while nothing else happens')
  const idle = await measureSearches(target, rounds)
  say('searches while lines arrive')
  const arriving = runOpenLoop(ours, plan, RATE_DURING_SEARCH)
  const whileLinesArrive = await measureSearches(target, rounds)
  await arriving
  return { idle, whileLinesArrive, peer: peer && (await measurePeerSearches(peer.url, rounds)) }
}

export interface StoredCheck extends SampleCheck {
  /** By the ledger and by the chunks; both must be the acknowledged ones. */
  readonly stored: number
  readonly inChunks: number
  readonly acknowledged: number
}

async function verify(
  stack: Stack,
  stored: StoredLines,
  { plan, acknowledged, planted }: { plan: LogsPlan; acknowledged: number; planted: number },
): Promise<StoredCheck> {
  await stored.wait('stored', acknowledged + planted)
  say(`looking for ${SAMPLE} lines by their times`)
  const step = Math.max(1, Math.floor(acknowledged / SAMPLE))
  const numbers = Array.from({ length: Math.min(SAMPLE, acknowledged) }, (_, index) => index * step)
  const sample = await checkSample(stack, { startMs: plan.startMs, numbers })
  const { stored: ledger } = await stored.counts()
  return { ...sample, stored: ledger - planted, inChunks: (await stored.linesOfChunks()) - planted, acknowledged }
}
