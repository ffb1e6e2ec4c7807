import { createServer } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { freePort, waitFor } from '@millrace/testing'
import { defineConfig } from '../src/config/define-config.js'
import { serviceSettings } from '../src/config/service-settings.js'
import { port } from '../src/config/settings.js'
import { startHttpServer } from '../src/http/start-http-server.js'
import type { Lifecycle } from '../src/lifecycle/lifecycle.js'
import { runService } from '../src/run-service.js'
import type { ServiceHost } from '../src/running-service.js'

const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 0 }),
  HTTP_PORT: port({ default: 0, description: 'port' }),
})

interface Run {
  readonly events: string[]
  readonly admin: string
  readonly errors: () => string
  readonly log: () => string
  exitCode(): Promise<number>
  emit(event: string, error?: unknown): void
}

async function start(
  run: (lifecycle: Lifecycle, events: string[]) => Promise<void>,
  env: Record<string, string> = {},
): Promise<Run> {
  const adminPort = await freePort()
  const listeners = new Map<string, (error: unknown) => void>()
  const events: string[] = []
  const codes: number[] = []
  let errors = ''
  let log = ''
  const host: ServiceHost = {
    env: { ADMIN_PORT: String(adminPort), SHUTDOWN_TIMEOUT_MS: '60000', ...env },
    on: (event: string, listener: (error: unknown) => void) => void listeners.set(event, listener),
    exit: (code) => void codes.push(code),
    printError: (text) => {
      errors += text
    },
    writeLog: (lines) => {
      log += lines
    },
  }
  await runService({ name: 'test-service', configSchema, run: (_config, lifecycle) => run(lifecycle, events) }, host)
  return {
    events,
    admin: `http://127.0.0.1:${adminPort}`,
    errors: () => errors,
    log: () => log,
    emit: (event, error) => listeners.get(event)?.(error),
    async exitCode() {
      await waitFor(() => codes.length > 0)
      expect(codes).toHaveLength(1)
      return codes[0] as number
    },
  }
}

const part = (lifecycle: Lifecycle, events: string[], name: string) =>
  lifecycle.start(name, () => {
    events.push(`start ${name}`)
    return [name, () => void events.push(`stop ${name}`)] as const
  })

describe('a service', () => {
  it('starts its parts in order and stops them in reverse order on SIGTERM, with exit code 0', async () => {
    const service = await start(async (lifecycle, events) => {
      for (const name of ['a', 'b', 'c']) expect(await part(lifecycle, events, name)).toBe(name)
    })
    service.emit('SIGTERM')
    service.emit('SIGINT')
    expect(await service.exitCode()).toBe(0)
    expect(service.events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
  })

  it('stops the parts that had started when a later start fails, and ends with exit code 1 and the reason', async () => {
    const service = await start(async (lifecycle, events) => {
      await part(lifecycle, events, 'a')
      await lifecycle.start('b', () => Promise.reject(new Error('b is broken')))
    })
    expect(await service.exitCode()).toBe(1)
    expect(service.events).toEqual(['start a', 'stop a'])
    expect(service.log()).toContain('b is broken')
  })

  it('stops the other parts when the stop of one fails, and ends with exit code 1', async () => {
    const service = await start(async (lifecycle, events) => {
      await part(lifecycle, events, 'a')
      await lifecycle.start('b', () => [undefined, () => Promise.reject(new Error('stuck'))])
    })
    service.emit('SIGTERM')
    expect(await service.exitCode()).toBe(1)
    expect(service.events).toContain('stop a')
  })

  it('ends with exit code 1 when it does not stop in time, and logs the name of the part', async () => {
    let release: () => void = () => undefined
    const slow = () =>
      new Promise<void>((resolve) => {
        release = resolve
      })
    const service = await start(
      async (lifecycle) => {
        await lifecycle.start('slow part', () => [undefined, slow])
      },
      { SHUTDOWN_TIMEOUT_MS: '10' },
    )
    service.emit('SIGTERM')
    expect(await service.exitCode()).toBe(1)
    expect(service.log()).toContain('"part":"slow part"')
    // A real process would be gone; here the admin server must not outlive the test.
    release()
  })

  it('serves requests for SHUTDOWN_DELAY_MS after SIGTERM while it is not ready, and a second signal ends the delay', async () => {
    let origin = ''
    let stopping: AbortSignal | undefined
    const service = await start(
      async (lifecycle) => {
        stopping = lifecycle.stopping
        const server = await lifecycle.start('http server', () =>
          startHttpServer({ handler: (_req, res) => res.end('served'), port: 0 }),
        )
        origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`
      },
      { SHUTDOWN_DELAY_MS: '60000' },
    )
    service.emit('SIGTERM')
    expect((await fetch(`${service.admin}/ready`)).status).toBe(503)
    const answer = await fetch(origin, { headers: { connection: 'close' } })
    expect([await answer.text(), stopping?.aborted]).toEqual(['served', false])
    service.emit('SIGTERM')
    expect(await service.exitCode()).toBe(0)
    expect(stopping?.aborted).toBe(true)
  })

  it('stops without a delay when it fails, also while it waits', async () => {
    for (const signals of [[], ['SIGTERM']]) {
      const service = await start(async () => undefined, { SHUTDOWN_DELAY_MS: '60000' })
      for (const signal of signals) service.emit(signal)
      service.emit('uncaughtException', new Error('broken'))
      expect(await service.exitCode()).toBe(1)
    }
  })

  it.each(['uncaughtException', 'unhandledRejection'])(
    'logs an uncaught error, stops its parts and ends with exit code 1: %s',
    async (event) => {
      const service = await start(async (lifecycle, events) => void (await part(lifecycle, events, 'a')))
      service.emit(event, new Error('nobody caught me'))
      expect(await service.exitCode()).toBe(1)
      expect(service.events).toEqual(['start a', 'stop a'])
      expect(service.log()).toContain('nobody caught me')
    },
  )

  it('stops a part that was still starting when the stop began', async () => {
    let finish: (() => void) | undefined
    const starting = start(async (lifecycle, events) => {
      await part(lifecycle, events, 'a')
      await lifecycle.start('b', async () => {
        await new Promise<void>((resolve) => {
          finish = resolve
          lifecycle.fail(new Error('a died'))
        })
        return ['b', () => void events.push('stop b')] as const
      })
    })
    await waitFor(() => finish !== undefined)
    finish?.()
    const service = await starting
    expect(await service.exitCode()).toBe(1)
    expect(service.events).toEqual(expect.arrayContaining(['stop a', 'stop b']))
  })

  it('ends with exit code 78 and all problems of its configuration, before anything starts', async () => {
    const service = await start(async (_lifecycle, events) => void events.push('ran'), {
      ADMIN_PORT: 'x',
      HTTP_PORT: 'y',
    })
    expect(await service.exitCode()).toBe(78)
    expect(service.errors()).toBe(
      'test-service: the configuration has 2 problems:\n  ADMIN_PORT must be a whole number from 0 to 65535, but is "x".\n  HTTP_PORT must be a whole number from 0 to 65535, but is "y".\n',
    )
    expect(service.events).toEqual([])
  })

  it('prints in one sentence which port is in use and what to change', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const taken = (squatter.address() as { port: number }).port
    const service = await start(async (lifecycle) => {
      await lifecycle.start('http', () =>
        startHttpServer({ handler: () => undefined, port: taken, setting: 'HTTP_PORT' }),
      )
    })
    expect(await service.exitCode()).toBe(1)
    expect(service.errors()).toBe(
      `test-service: port ${taken} on 127.0.0.1 is in use: stop the process that holds it, or set HTTP_PORT to another port\n`,
    )
    await new Promise((resolve) => squatter.close(resolve))
  })
})

describe('the admin server', () => {
  const get = (service: Run, path: string, init?: RequestInit) => fetch(service.admin + path, init)

  it('answers probes, runs each check at most once per second, and is not ready while a check fails', async () => {
    const calls: number[] = []
    let isBroken = true
    const service = await start(async (lifecycle) =>
      lifecycle.ready('database', () => {
        calls.push(performance.now())
        if (isBroken) throw Object.assign(new Error('host db.internal'), { code: 'DATABASE_DOWN' })
      }),
    )
    expect((await get(service, '/live')).status).toBe(200)
    expect((await get(service, '/startup')).status).toBe(200)
    const answers = await Promise.all([1, 2, 3].map(() => get(service, '/ready')))
    expect(answers.map((answer) => answer.status)).toEqual([503, 503, 503])
    expect(await answers[0]?.json()).toMatchObject({
      checks: { database: { status: 'failing', error: 'DATABASE_DOWN' } },
    })
    isBroken = false
    await waitFor(async () => (await get(service, '/ready')).status === 200)
    for (const [index, at] of calls.slice(1).entries()) expect(at - (calls[index] as number)).toBeGreaterThan(990)
    service.emit('SIGTERM')
    await service.exitCode()
  })

  it('is not ready while the service stops', async () => {
    let release: () => void = () => undefined
    const service = await start(async (lifecycle) => {
      await lifecycle.start('slow', () => [
        undefined,
        () =>
          new Promise<void>((resolve) => {
            release = resolve
          }),
      ])
    })
    service.emit('SIGTERM')
    const during = await Promise.all(['/ready', '/live'].map(async (path) => (await get(service, path)).status))
    expect(during).toEqual([503, 200])
    release()
    await service.exitCode()
  })

  it('changes the log level at run time and writes the change to the audit log', async () => {
    const service = await start(async () => undefined)
    expect(await (await get(service, '/log-level')).json()).toEqual({ level: 'info' })
    expect(await (await get(service, '/log-level', { method: 'PUT', body: '{"level":"debug"}' })).json()).toEqual({
      level: 'debug',
    })
    const refused = await get(service, '/log-level', { method: 'PUT', body: 'loud' })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(service.log()).toContain('"level":"audit"')
    service.emit('SIGTERM')
    await service.exitCode()
  })

  it.each([
    ['/live', 'POST', 'GET, HEAD, OPTIONS'],
    ['/ready', 'PUT', 'GET, HEAD, OPTIONS'],
    ['/startup', 'DELETE', 'GET, HEAD, OPTIONS'],
    ['/metrics', 'POST', 'GET, HEAD, OPTIONS'],
    ['/log-level', 'POST', 'GET, HEAD, PUT, OPTIONS'],
  ])(
    'answers %s with 405 and the methods of the path for %s, 204 for OPTIONS and 200 for HEAD',
    async (path, method, allow) => {
      const service = await start(async () => undefined)
      const refused = await get(service, path, { method })
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, allow])
      const options = await get(service, path, { method: 'OPTIONS' })
      expect([options.status, options.headers.get('allow')]).toEqual([204, allow])
      expect((await get(service, path, { method: 'HEAD' })).status).toBe(200)
      service.emit('SIGTERM')
      await service.exitCode()
    },
  )

  it('serves metrics only with the token if one is set, and never in production without a token', async () => {
    const open = await start(async () => undefined)
    expect(await (await get(open, '/metrics')).text()).toContain('process_cpu_seconds_total{service="test-service"}')
    const guarded = await start(async () => undefined, { ADMIN_TOKEN: 'a-long-enough-token' })
    expect((await get(guarded, '/metrics')).status).toBe(401)
    expect((await get(guarded, '/metrics', { headers: { authorization: 'Bearer a-long-enough-token' } })).status).toBe(
      200,
    )
    const production = await start(async () => undefined, { NODE_ENV: 'production' })
    expect((await get(production, '/metrics')).status).toBe(403)
    expect((await get(production, '/live')).status).toBe(200)
    for (const service of [open, guarded, production]) {
      service.emit('SIGTERM')
      await service.exitCode()
    }
  })
})
