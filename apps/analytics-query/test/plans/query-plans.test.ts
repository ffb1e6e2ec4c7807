import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { queryKinds } from '@millrace/contracts/http'
import { createTenant, type ServiceUnderTest, startServiceUnderTest } from '../service-under-test.js'
import { type Parents, type PlanShape, readParents, readShape } from './plan-shape.js'
import { fillDatabase, NOW } from './plans-database.js'
import { QUERY_SHAPES, STATEMENTS } from './query-shapes.js'
import { createRecorder } from './record-statements.js'

describe('every statement for PostgreSQL', () => {
  const recorder = createRecorder()
  let service: ServiceUnderTest
  let tenantId: number
  let parents: Parents

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => NOW, hasPackedDays: true, wrap: recorder.wrap })
    tenantId = await createTenant(service.database, 'acme')
    await fillDatabase(service.database, tenantId)
    parents = await readParents(service.database)
  })
  afterAll(() => service.close())

  /** Plans by the name of the prepared statement, whose text is always the same; those of other statements by their number. */
  async function plansOf(shape: (typeof QUERY_SHAPES)[number]): Promise<Map<string | number, PlanShape>> {
    recorder.take()
    await shape.ask(service, tenantId)
    const plans = new Map<string | number, PlanShape>()
    for (const recorded of recorder.take())
      plans.set(recorded.statement.name ?? plans.size, await readShape(service.database, recorded, parents))
    return plans
  }

  it.each(QUERY_SHAPES.map((shape) => [shape.title, shape] as const))('keeps its plan: %s', async (_, shape) => {
    const plans = await plansOf(shape)
    expect(plans.size).toBeGreaterThan(0)
    const scanned = [...plans.values()].flatMap(({ scannedPartitions }) => scannedPartitions)
    // A sequential scan of the events table is what this test is for; readsWholeDays says why one is meant.
    if (shape.readsWholeDays === undefined) expect(scanned).toEqual([])
    expect(textOf([...plans].flatMap(([name, plan]) => (typeof name === 'number' ? plan : [])))).toMatchSnapshot()
  })

  it('keeps its plan: statements that are the same for every query', async () => {
    const firstOfEachKind = new Map([...QUERY_SHAPES].reverse().map((shape) => [shape.kind, shape]))
    const fixed: Record<string, string> = {}
    for (const shape of firstOfEachKind.values()) {
      for (const [name, plan] of await plansOf(shape)) if (typeof name === 'string') fixed[name] = textOf([plan])
    }
    expect(fixed).toMatchSnapshot()
  })

  it('would show a sequential scan of the events table', async () => {
    const statement = { text: 'select count(*) from events where properties is null' }
    const { lines, scannedPartitions } = await readShape(service.database, { tenantId, statement }, parents)
    expect(scannedPartitions).toHaveLength(4)
    expect(lines).toContain('  sequential scan of events')
  })
})

function textOf(plans: readonly PlanShape[]): string {
  return `\n${plans.map(({ lines }) => lines.join('\n')).join('\n\n')}\n`
}

describe('the list of query shapes', () => {
  it('contains every query kind', () => {
    const listed = new Set<string>(QUERY_SHAPES.flatMap(({ kind }) => kind ?? []))
    expect(Object.keys(queryKinds).filter((kind) => !listed.has(kind))).toEqual([])
  })

  it('knows every file with statements, and their number', () => {
    const source = fileURLToPath(new URL('../../src', import.meta.url))
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    )
    const unlisted = files.flatMap((name) => {
      const statements = readFileSync(`${source}/${name}`, 'utf8').match(/[`']\s*(?:select|with \w+ as)\b/g)
      const count = statements?.length ?? 0
      return count === (STATEMENTS[name] ?? 0) ? [] : [`'${name}': ${count}`]
    })
    expect(unlisted).toEqual([])
  })
})
