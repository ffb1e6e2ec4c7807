import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createContext, type Module, SourceTextModule } from 'node:vm'
import { beforeAll, describe, expect, it } from '@jest/globals'
import type { createClient } from '../src/index.js'
import { type FakeGateway, json, startFakeGateway } from './fake-gateway.js'

const home = fileURLToPath(new URL('..', import.meta.url))

/** Globals of a web page, and none that exist only in Node. */
const webGlobals = {
  AbortController,
  AbortSignal,
  Headers,
  Response,
  TextDecoder,
  clearTimeout,
  crypto,
  fetch,
  performance,
  setTimeout,
}

/** Loads compiled modules as a browser does: by relative addresses only. */
async function loadAsInBrowser(entry: URL): Promise<Module> {
  const context = createContext({ ...webGlobals })
  const modules = new Map<string, Module>()
  const load = (url: URL): Module => {
    const known = modules.get(url.href)
    if (known !== undefined) return known
    const module = new SourceTextModule(readFileSync(url, 'utf8'), { context, identifier: url.href })
    modules.set(url.href, module)
    return module
  }
  const module = load(entry)
  await module.link((specifier, referrer) => {
    if (!/^\.\.?\//.test(specifier)) throw new Error(`${referrer.identifier} imports ${specifier}`)
    return load(new URL(specifier, referrer.identifier))
  })
  await module.evaluate()
  return module
}

describe('the compiled client', () => {
  beforeAll(() => {
    const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
    const { status, stdout, error } = spawnSync(tsc, ['-b'], { cwd: home, encoding: 'utf8' })
    if (status !== 0) throw new Error(`compiling the client: ${error?.message ?? stdout}`)
  })

  it('works with only the globals and module loading of a browser', async () => {
    const gateway: FakeGateway = await startFakeGateway()
    try {
      const module = await loadAsInBrowser(new URL('../dist/index.js', import.meta.url))
      const create = (module.namespace as { createClient: typeof createClient }).createClient
      const client = create({ url: gateway.url, key: 'k' })
      const answer = { data: [{ value: 1 }], next_cursor: null, meta: { source: 'raw', age_ms: 0, watermark: null } }
      gateway.reply(json(answer), json({ success: true }), (_req, res) =>
        res.end('event: counts\ndata: {"events":1}\n\n'),
      )
      expect((await client.query.uniques({})).data[0]?.value).toBe(1)
      expect((await client.sendEvents([{ event: 'A', userId: 'u' }])).success).toBe(true)
      for await (const { events } of client.live()) {
        expect(events).toBe(1)
        break
      }
    } finally {
      await gateway.close()
    }
  })

  it('depends on no other package', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${home}/package.json`, 'utf8')) as Record<
      string,
      unknown
    >
    expect([dependencies, peerDependencies]).toEqual([undefined, undefined])
  })
})
