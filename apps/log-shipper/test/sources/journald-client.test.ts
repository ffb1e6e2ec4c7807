import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type StreamedRecord, startShipper, type TestShipper } from '../start-shipper.js'

const run = promisify(execFile)
const FOLDERS = ['/lib/systemd', '/usr/lib/systemd']
const find = (name: string) => FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path))
const UPLOAD = find('systemd-journal-upload')
/** Writes a journal from entries in the export format. */
const REMOTE = find('systemd-journal-remote')
const isInstalled = UPLOAD !== undefined && REMOTE !== undefined
if (!isInstalled) process.stderr.write('tests with systemd-journal-upload are skipped: it is not installed\n')

const ENTRIES = 200
const of = (service: string) => (record: StreamedRecord) => record.service === service

describe('journald', () => {
  let shipper: TestShipper
  const home = mkdtempSync(join(tmpdir(), 'millrace-journald-'))

  beforeAll(async () => {
    shipper = await startShipper()
  })
  afterAll(async () => {
    await shipper?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  const entry = (service: string, index: number) =>
    `__REALTIME_TIMESTAMP=${1_764_499_999_123_456 + index}\n__MONOTONIC_TIMESTAMP=${index + 1}\n_BOOT_ID=0af7651916cd43dd8448eb211c80319c\n_MACHINE_ID=1af7651916cd43dd8448eb211c80319c\n_HOSTNAME=node-1\nPRIORITY=4\nSYSLOG_IDENTIFIER=${service}\nMESSAGE=line ${index}\n\n`

  ;(isInstalled ? it : it.skip)('systemd-journal-upload, unmodified, delivers every entry of a journal', async () => {
    const service = 'journal upload'
    const exported = join(home, 'entries.export')
    const journal = join(home, 'entries.journal')
    writeFileSync(exported, Array.from({ length: ENTRIES }, (_, index) => entry(service, index)).join(''))
    await run(REMOTE as string, [`--output=${journal}`, '--split-mode=none', exported])
    const { port, hostname } = new URL(shipper.origin)
    const url = `http://${shipper.key}:x@${hostname}:${port}`
    await run(UPLOAD as string, [`--url=${url}`, `--file=${journal}`, '--follow=no'])
    const records = await shipper.records(ENTRIES, of(service))
    expect(new Set(records.map(({ message }) => message)).size).toBe(ENTRIES)
    expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
      timeMs: 1_764_499_999_123,
      timeSubNs: 463_000,
      severity: 13,
      host: 'node-1',
    })
  })

  it('answers 202 for entries, 400 for what is cut off, and 415 for another content type', async () => {
    const send = async (body: string, type = 'application/vnd.fdo.journal') => {
      const headers = { authorization: `Bearer ${shipper.key}`, 'content-type': type }
      return (await fetch(`${shipper.origin}/upload`, { method: 'POST', body, headers })).status
    }
    expect(await send(entry('journal http', 1))).toBe(202)
    expect(await send('MESSAGE\n\0')).toBe(400)
    expect(await send(entry('journal http', 2), 'text/plain')).toBe(415)
    expect(await shipper.records(1, of('journal http'))).toHaveLength(1)
  })
})
