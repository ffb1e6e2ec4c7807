import { setTimeout as delay } from 'node:timers/promises'
import { createLogger } from '@millrace/logger'
import { createMasker } from '@millrace/masking'
import pino from 'pino'
import winston from 'winston'

/** What one contestant has measured about itself. */
export interface ContestantFigures {
  /** Time of a call, in ns. */
  readonly callerNs: number
  /** Processor time of a line, from the call until it was delivered, in us. */
  readonly cpuUs: number
  /** From the first call until everything was delivered, in ms. */
  readonly elapsedMs: number
}

/** A logger under measurement. */
export interface Contestant {
  log(message: string, fields: Record<string, unknown>): void
  /** Resolves when all `lines` are delivered, or when no more arrive. */
  finish(lines: number): Promise<void>
}

const openers: Readonly<Record<string, (url: string) => Contestant>> = {
  'this logger': () => {
    const logger = createLogger({ service: 'bench', samplePerSecond: 0 })
    return { log: (message, fields) => logger.info(message, fields), finish: async () => logger.close() }
  },
  'this logger to log-shipper': (url) => {
    const shipTo = { url, writeKey: 'key', bufferBytesMax: 1_073_741_824 }
    const logger = createLogger({ service: 'bench', samplePerSecond: 0, stdout: false, shipTo })
    return {
      log: (message, fields) => logger.info(message, fields),
      finish: () => logger.drained(600_000),
    }
  },
  'winston, masked': () =>
    openWinston(new winston.transports.Stream({ stream: process.stdout }), async () => undefined),
  'winston, masked, by HTTP': (url) => {
    const { hostname, port } = new URL(url)
    const batches = { batch: true, batchInterval: 100, batchCount: 256 }
    const transport = new winston.transports.Http({ host: hostname, port: Number(port), ...batches })
    return openWinston(transport, (lines) => allReceived(url, lines))
  },
  'pino, redaction': () => openPino(),
  'pino, redaction and masked': () => openPino(createMasker()),
}

/** In the order in which they run. */
export const contestantNames = Object.keys(openers)

export function openContestant(name: string, url: string): Contestant {
  const open = openers[name]
  if (open === undefined) throw new Error(`there is no contestant ${name}`)
  return open(url)
}

function openWinston(transport: winston.transport, delivered: (lines: number) => Promise<void>): Contestant {
  const masker = createMasker()
  const mask = winston.format((info) => {
    for (const name in info) if (name !== 'level') info[name] = masker.field(name, info[name])
    return info
  })
  const logger = winston.createLogger({
    format: winston.format.combine(mask(), winston.format.timestamp(), winston.format.json()),
    defaultMeta: { service: 'bench' },
    transports: [transport],
  })
  return {
    log: (message, fields) => void logger.info(message, fields),
    finish: async (lines) => {
      // Ending a winston logger that still has lines waiting is an error.
      while (logger.writableLength + logger.readableLength + transport.writableLength > 0) await delay(1)
      while (process.stdout.writableLength > 0) await delay(1)
      await delivered(lines)
    },
  }
}

/** Resolves when the receiver has `lines` lines, or when none has arrived for 3 s. */
async function allReceived(url: string, lines: number): Promise<void> {
  let received = -1
  for (let unchanged = 0; received < lines && unchanged < 300; unchanged++) {
    await delay(10)
    const now = Number(await (await fetch(url)).text())
    if (now !== received) unchanged = 0
    received = now
  }
}

function openPino(masker?: ReturnType<typeof createMasker>): Contestant {
  const destination = pino.destination({ fd: 1, minLength: 4_096, sync: false })
  const logger = pino(
    {
      base: { service: 'bench' },
      redact: { paths: ['password', 'user.email', 'user.card'], censor: '[masked]' },
      ...(masker !== undefined && {
        hooks: { streamWrite: (line: string) => masker.text(line) },
      }),
    },
    destination,
  )
  return {
    log: (message, fields) => logger.info(fields, message),
    finish: () =>
      new Promise((resolve) => {
        destination.once('close', () => resolve())
        destination.end()
      }),
  }
}
