import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { formatTraceparent, parseTraceparent } from '@millrace/logger'
import { startTracing } from '../src/start-tracing.js'
import { noopTracer } from '../src/tracer.js'

const folder = fileURLToPath(new URL('..', import.meta.url))
const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/**
 * Runs `work` in a separate process next to a collector, and returns the result of `work` and what the collector received. Jest's
 * sandbox does not support the exporter's dynamic import of node:http.
 */
function trace(options: string, work: string): { result: unknown; exported: string } {
  const program = `
    import { createServer } from 'node:http'
    import { parseTraceparent } from '@millrace/logger'
    import { startTracing } from './dist/index.js'
    const parent = '${parent}'
    let exported = ''
    const collector = createServer((req, res) => {
      req.on('data', (chunk) => { if (req.url === '/v1/traces') exported += chunk.toString('latin1') })
      req.on('end', () => res.end())
    })
    await new Promise((resolve) => collector.listen(0, '127.0.0.1', resolve))
    const endpoint = 'http://127.0.0.1:' + collector.address().port
    const tracer = await startTracing({ service: 'test', endpoint, ...${options} })
    const result = await (async () => { ${work} })()
    await tracer.close()
    collector.close()
    console.log(JSON.stringify({ result, exported }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
    encoding: 'utf8',
    env: {},
  })
  expect(stderr).toBe('')
  return JSON.parse(stdout) as { result: unknown; exported: string }
}

describe('tracing to a collector', () => {
  it('the tracer exports sampled spans with their attributes', () => {
    const { exported } = trace(
      `{ sampler: 'always_on' }`,
      `await tracer.withSpan('append batch', { 'messaging.system': 'redis' }, async () => {}, { links: [parent] })`,
    )
    expect(exported).toContain('append batch')
    expect(exported).toContain('messaging.system')
  })

  it('the tracer exports failed spans of traces that were not sampled, and no successful ones', () => {
    const { exported, result } = trace(
      `{ sampler: 'traceidratio', sampleRatio: 0 }`,
      `const fail = async () => { throw Object.assign(new Error('bob@example.com is unknown'), { code: 'UNKNOWN_USER' }) }
       await tracer.withSpan('went well', {}, async () => {})
       return await tracer.withSpan('outer failed', {}, () => tracer.withSpan('inner failed', {}, fail)).catch((error) => error.code)`,
    )
    expect(result).toBe('UNKNOWN_USER')
    expect(exported).toContain('outer failed')
    expect(exported).toContain('inner failed')
    expect(exported).toContain('UNKNOWN_USER')
    expect(exported).not.toContain('went well')
    expect(exported).not.toContain('bob@example.com')
  })

  it('the tracer continues the trace of a traceparent from another process', () => {
    const { result } = trace(
      `{ sampler: 'always_on' }`,
      `const inside = async (span) => ({ own: parseTraceparent(span.traceparent), same: tracer.inject() === span.traceparent, id: tracer.current().traceId })
       const received = await tracer.withSpan('received', {}, inside, { parent })
       return { ...received, passedOn: tracer.extract(parent, () => tracer.inject()) }`,
    )
    const traceId = parseTraceparent(parent)?.traceId
    expect(result).toMatchObject({ own: { traceId, isSampled: true }, same: true, id: traceId, passedOn: parent })
  })

  it('the tracer samples a new trace that links to a sampled trace, and does not attach it to the running span', () => {
    const { exported, result } = trace(
      `{ sampler: 'parentbased_traceidratio', sampleRatio: 0 }`,
      `const begin = (name, options) => tracer.withSpan(name, {}, async () => tracer.current().traceId, options)
       const other = parent.replace(/01$/, '00')
       return await tracer.withSpan('not chosen', {}, async () => [
         await begin('linked to chosen', { isRoot: true, links: [parent, other] }),
         await begin('linked to others', { isRoot: true, links: [other] }),
         tracer.current().traceId,
       ])`,
    )
    expect(exported).toContain('linked to chosen')
    expect(exported).not.toMatch(/linked to others|not chosen/)
    expect(new Set(result as string[]).size).toBe(3)
  })

  it('the tracer closes although the collector cannot be reached', () => {
    const { result } = trace(
      `{ sampler: 'always_on', endpoint: 'http://127.0.0.1:1' }`,
      `return await tracer.withSpan('lost', {}, async () => 'done')`,
    )
    expect(result).toBe('done')
  })
})

describe('tracing without an endpoint', () => {
  it('the tracer runs the work and has no traceparent to inject', async () => {
    const tracer = await startTracing({ service: 'test', endpoint: undefined })
    expect(tracer).toBe(noopTracer)
    await expect(tracer.withSpan('x', {}, async (span) => span.traceparent)).resolves.toBeUndefined()
    expect(tracer.inject()).toBeUndefined()
  })
})

describe('a traceparent', () => {
  it('is the same after parsing and formatting', () => {
    const parsed = parseTraceparent(parent)
    expect(parsed && formatTraceparent(parsed)).toBe(parent)
  })

  it.each([
    '',
    '00',
    `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`,
    parent.repeat(20),
  ])('is undefined when the header is not valid: %s', (header) => expect(parseTraceparent(header)).toBeUndefined())
})
