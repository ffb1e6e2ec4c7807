import { request } from 'node:http'

/** Counters of the services' /metrics that show what a run provoked. */
const COUNTERS = {
  /** Frames that a consumer read again and dropped by their sequence. */
  framesReplayed: 'millrace_stream_repeated_frames_total',
  /** Frames that the gateway sent again, because the append before had no answer. */
  framesResent: 'millrace_stream_resent_frames_total',
  /** Frames that the gateway wrote to its spool. */
  framesSpooled: 'millrace_stream_spooled_frames_total',
} as const

export type ServiceCounts = Record<keyof typeof COUNTERS, number>

export const NO_COUNTS: ServiceCounts = { framesReplayed: 0, framesResent: 0, framesSpooled: 0 }

/** The counts of a service since its start; 0 when its admin server does not answer. */
export async function readCounts(adminUrl: string): Promise<ServiceCounts> {
  const text = await fetchText(`${adminUrl}/metrics`).catch(() => '')
  const counts = { ...NO_COUNTS }
  for (const line of text.split('\n'))
    for (const [name, metric] of Object.entries(COUNTERS) as [keyof ServiceCounts, string][])
      if (line.startsWith(metric)) counts[name] += Number(line.slice(line.lastIndexOf(' ') + 1))
  return counts
}

/** Each count is the sum over the processes; a process that was asked several times counts with its highest number. */
export class ServiceCounters {
  readonly #byProcess = new Map<number, ServiceCounts>()

  /** Adds what a service has counted so far. Call it before the process is killed, which resets its counters. */
  async note({ pid, adminUrl }: { readonly pid: number; readonly adminUrl: string }): Promise<void> {
    const now = await readCounts(adminUrl)
    const before = this.#byProcess.get(pid) ?? NO_COUNTS
    this.#byProcess.set(pid, combine(before, now, Math.max))
  }

  sum(): ServiceCounts {
    return [...this.#byProcess.values()].reduce((sum, counts) => combine(sum, counts, (a, b) => a + b), NO_COUNTS)
  }
}

function combine(a: ServiceCounts, b: ServiceCounts, how: (a: number, b: number) => number): ServiceCounts {
  const names = Object.keys(COUNTERS) as (keyof ServiceCounts)[]
  return Object.fromEntries(names.map((name) => [name, how(a[name], b[name])])) as ServiceCounts
}

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, timeout: 2000 }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      res.on('end', () => resolve(text))
    })
    req.once('timeout', () => req.destroy(new Error('no answer in time')))
    req.once('error', reject)
    req.end()
  })
}
