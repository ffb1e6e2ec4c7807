import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A test depends on nothing that is on the network.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
]

/** What a page of a test consists of. */
export interface TestPage {
  /** Runs as a module. It has `report(value)`, which ends the test. */
  readonly script: string
  /** Scripts that run before it, as addresses of files. */
  readonly scripts?: readonly string[]
  /** Folders by the first part of the address under which their files are served. */
  readonly folders?: Readonly<Record<string, string>>
  /** Scripts of further pages, by their address. */
  readonly pages?: Readonly<Record<string, string>>
  /** Default 90,000. */
  readonly deadlineMs?: number
}

/**
 * Opens a page in Chromium and resolves with what it reported first; rejects when a page fails or the browser ends before. Pages are of an
 * origin of their own, and reach no host but 127.0.0.1.
 */
export async function runInChromium(program: string, page: TestPage): Promise<unknown> {
  const { deadlineMs = 90_000 } = page
  const { url, reported, close } = await servePage(page)
  const profile = mkdtempSync(join(tmpdir(), 'millrace-chromium-'))
  // Of its own process group, so that its helpers end with it.
  const browser = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, url], {
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

function toHtml(script: string, scripts: readonly string[]): string {
  const tags = scripts.map((address) => `<script src="${address}"></script>`).join('')
  return `<!doctype html><title>test</title>${tags}<script type="module">
const report = (value) => fetch('/report', { method: 'POST', body: JSON.stringify(value) })
const fail = (error) => report({ failed: String(error?.stack ?? error) })
addEventListener('error', ({ error, message }) => fail(error ?? message))
addEventListener('unhandledrejection', ({ reason }) => fail(reason))
${script}
</script>`
}

async function servePage({ script, scripts = [], folders = {}, pages = {} }: TestPage) {
  let report: (value: unknown) => void = () => undefined
  const reported = new Promise<unknown>((resolve) => {
    report = resolve
  })
  const server = createServer(async (req, res) => {
    const { pathname } = new URL(req.url ?? '/', 'http://localhost')
    const [, folder = '', ...rest] = pathname.split('/')
    const html = pathname === '/' ? script : pages[pathname]
    if (html !== undefined) res.setHeader('content-type', 'text/html').end(toHtml(html, scripts))
    else if (pathname === '/report') {
      let body = ''
      for await (const chunk of req) body += String(chunk)
      res.end()
      report(JSON.parse(body))
    } else if (folders[folder] !== undefined && pathname.endsWith('.js')) {
      const path = normalize(rest.join('/'))
      res.setHeader('content-type', 'text/javascript').end(readFileSync(join(folders[folder], path)))
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
