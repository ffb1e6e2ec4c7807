import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { removeTemporary, type Stack, temporaryDirectory } from '@millrace/local-stack'
import { findTestKafka, readLedger, startTestStack, waitFor, waitUntilSettled } from '../src/index.js'
import { readCurlLines } from './curl-lines.js'

const describeWithKafka = typeof findTestKafka('the stack with Kafka') === 'string' ? describe.skip : describe
const ROOT = new URL('../../../', import.meta.url)
/** For the start of a stack, or of a broker, on a busy machine. */
const WAIT_MS = 240_000

describeWithKafka('a stack whose stream is on Kafka', () => {
  let stack: Stack
  const said: string[] = []
  const dataDir = temporaryDirectory('millrace-kafka-stack-')
  const start = () => startTestStack({ dataDir, env: { STREAM_DRIVER: 'kafka' }, say: (line) => void said.push(line) })

  beforeAll(async () => {
    stack = await start()
  }, WAIT_MS)
  afterAll(async () => {
    await stack?.stop()
    removeTemporary(dataDir)
  }, WAIT_MS)

  async function ask(
    path: string,
    { method = 'GET', headers = {}, body }: Partial<ReturnType<typeof readCurlLines>[0]>,
  ) {
    const authorization = headers.authorization ?? `Bearer ${stack.adminKey}`
    const response = await fetch(`${stack.url}${path}`, {
      method,
      headers: { ...headers, authorization },
      ...(body !== undefined && { body }),
    })
    return { status: response.status, text: await response.text() }
  }

  const track = (messageId: string) =>
    ask('/v1/batch', {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${stack.writeKey}:`)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ batch: [{ type: 'track', userId: 'ada', event: 'Hello', messageId }] }),
    })
  /** The message ids of the newest 200 stored events of the user. */
  async function readIds(): Promise<string[]> {
    const { text } = await ask('/api/v1/events?user_id=ada&limit=200', {})
    return (JSON.parse(text) as { data: { message_id: string }[] }).data.map(({ message_id }) => message_id)
  }

  const source = () => ({ gatewayUrl: stack.url, readKey: stack.adminKey })

  it('runs a broker of its own, which it names in one line, and no Redis for the stream', () => {
    expect(said.filter((line) => line.startsWith('Kafka'))).toEqual([
      expect.stringMatching(/^Kafka \(\S+ from the jars of Maven, port \d+\): ready after/),
    ])
    expect(stack.processes().map(({ name }) => name)).toEqual(expect.arrayContaining(['Kafka', 'Redis for the cache']))
    expect(stack.processes().map(({ name }) => name)).not.toContain('Redis for streams')
    expect(stack.streamRedisUrl).toBeUndefined()
  })

  const lines = readCurlLines(readFileSync(new URL('README.md', ROOT), 'utf8'))
  it.each(lines)(
    'answers a line of the README as it stands: $method $url',
    async ({ url, ...line }) => {
      const { pathname, search } = new URL(url)
      expect((await ask(`${pathname}${search}`, line)).status).toBe(200)
    },
    WAIT_MS,
  )

  it(
    'stores every event that it accepted while its broker was killed, and starts the broker again',
    async () => {
      const { stored } = await waitUntilSettled(source(), 1, WAIT_MS)
      const pid = stack.kafka?.server.pid
      await stack.kafka?.server.kill()
      for (let index = 0; index < 20; index++) expect((await track(`outage-${index}`)).status).toBe(200)
      await waitFor(() => said.some((line) => line.startsWith('Kafka is ready again')), { deadlineMs: WAIT_MS })
      expect(stack.kafka?.server.pid).not.toBe(pid)
      const after = await waitUntilSettled(source(), stored + 20, WAIT_MS)
      expect(after).toMatchObject({ balanced: true, lost: 0, in_flight: 0 })
    },
    2 * WAIT_MS,
  )

  const commands = readKafkaCommands(readFileSync(new URL('docs/operations/kafka.md', ROOT), 'utf8'))
  it('is documented with commands of all kinds', () => {
    expect(commands.map((command) => command.split(' ')[0])).toEqual(
      expect.arrayContaining(['kafka-topics.sh', 'kafka-consumer-groups.sh', 'kafka-configs.sh']),
    )
  })

  it.each(commands)(
    'accepts a command of docs/operations/kafka.md as it stands: %s',
    async (command) => {
      const { stdout } = await run(command)
      expect(stdout).not.toMatch(/error/i)
    },
    WAIT_MS,
  )

  it(
    'shows its lag to kafka-consumer-groups.sh',
    async () => {
      await track('lag')
      await waitFor(async () => (await readLedger(source())).in_flight === 0, { deadlineMs: WAIT_MS })
      const command = commands.find((one) => one.startsWith('kafka-consumer-groups.sh')) as string
      const lags = async () => {
        const rows = (await run(command)).stdout.split('\n').filter((line) => line.includes('millrace.events'))
        return rows.map((row) => row.trim().split(/\s+/)).map(([, , , position, end, lag]) => ({ position, end, lag }))
      }
      const caughtUp = async () => {
        const found = await lags()
        return found.length === 16 && found.every(({ lag }) => lag === '0') && found
      }
      const found = await waitFor(caughtUp, { deadlineMs: WAIT_MS, intervalMs: 500 })
      expect(found.some(({ end }) => Number(end) > 0)).toBe(true)
    },
    WAIT_MS,
  )

  it(
    'refuses a second start on its data directory, and goes on',
    async () => {
      const pid = stack.kafka?.server.pid
      await expect(start()).rejects.toThrow(/a stack already runs on/)
      expect(stack.kafka?.server.pid).toBe(pid)
      expect((await track('while a second start was refused')).status).toBe(200)
    },
    WAIT_MS,
  )

  it(
    'continues where it ended when it is started again on its data directory',
    async () => {
      await waitFor(async () => (await readIds()).includes('while a second start was refused'), { deadlineMs: WAIT_MS })
      const before = await waitUntilSettled(source(), 1, WAIT_MS)
      await stack.stop()
      stack = await start()
      expect((await track('after another start')).status).toBe(200)
      const after = await waitUntilSettled(source(), before.stored + 1, WAIT_MS)
      expect(after).toMatchObject({ lost: 0, duplicate: before.duplicate, balanced: true })
      const outage = Array.from({ length: 20 }, (_, index) => `outage-${index}`)
      const ids = [...outage, 'lag', 'while a second start was refused', 'after another start'].sort()
      // The ledger may count an event up to a second after its acknowledgement, so what it calls settled may be without the last ones.
      const stored = await waitFor(
        async () => {
          const found = await readIds()
          return ids.every((id) => found.includes(id)) && found
        },
        { deadlineMs: WAIT_MS, what: 'all events' },
      )
      expect(stored.filter((id) => ids.includes(id)).sort()).toEqual(ids)
    },
    2 * WAIT_MS,
  )

  function run(command: string): Promise<{ stdout: string; stderr: string }> {
    const [tool = '', ...args] = command.replace(/(localhost|127\.0\.0\.1):\d+/, `${stack.kafkaBrokers}`).split(/\s+/)
    return promisify(execFile)(`${stack.kafka?.server.toolsDir}/${tool}`, args, { timeout: WAIT_MS })
  }
})

/** The commands of Kafka's tools in the sh blocks of a Markdown text. */
function readKafkaCommands(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block.replaceAll('\\\n', ' '))
  return blocks.flatMap((block) => block.split('\n').filter((line) => line.startsWith('kafka-')))
}
