import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const FLAGS =
  '--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

/** The program of a Chromium on PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  const paths = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Opens a page in Chromium that runs `script` as a module, with the compiled client at /client/index.js and `report(value)` to say what came of it.
 * Resolves with what was reported first; rejects when the page fails or the browser ends before.
 */
export async function runInChromium(program: string, script: string, deadlineMs = 90_000): Promise<unknown> {
  const page = `<!doctype html><title>test</title><script type="module">
const report = (value) => fetch('/report', { method: 'POST', body: JSON.stringify(value) })
const fail = (error) => report({ failed: String(error?.stack ?? error) })
addEventListener('error', ({ error, message }) => fail(error ?? message))
addEventListener('unhandledrejection', ({ reason }) => fail(reason))
${script}
</script>`
  const { url, reported, close } = await servePage(page)
  const profile = mkdtempSync(join(tmpdir(), 'millrace-chromium-'))
  // Of its own process group, so that its helpers end with it.
  const browser = spawn(program, [...FLAGS.split(' '), `--user-data-dir=${profile}`, url], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  browser.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-2000)
  })
  const ended = once(browser, 'exit')
  try {
    const signal = AbortSignal.timeout(deadlineMs)
    const tooLate = once(signal, 'abort').then(() => Promise.reject(new Error(`the page said nothing: ${said}`)))
    const gone = ended.then(() => Promise.reject(new Error(`Chromium ended: ${said}`)))
    tooLate.catch(() => undefined)
    gone.catch(() => undefined)
    return await Promise.race([reported, tooLate, gone])
  } finally {
    if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL')
    await ended
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    await close()
  }
}

async function servePage(page: string) {
  let report: (value: unknown) => void = () => undefined
  const reported = new Promise<unknown>((resolve) => {
    report = resolve
  })
  const server = createServer(async (req, res) => {
    const { pathname } = new URL(req.url ?? '/', 'http://localhost')
    if (pathname === '/') res.setHeader('content-type', 'text/html').end(page)
    else if (pathname === '/report') {
      let body = ''
      for await (const chunk of req) body += String(chunk)
      res.end()
      report(JSON.parse(body))
    } else if (pathname.startsWith('/client/') && pathname.endsWith('.js')) {
      const path = normalize(pathname.slice('/client/'.length))
      res.setHeader('content-type', 'text/javascript').end(readFileSync(join(DIST, path)))
    } else res.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    reported,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
