import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** PEM files with their texts. */
export interface TestCertificate {
  readonly certificateFile: string
  readonly keyFile: string
  readonly certificate: string
  readonly key: string
}

/** A certificate authority for tests, in `dir`. */
export interface TestAuthority extends TestCertificate {
  /** @param name for example IP:127.0.0.1 or DNS:broker.example */
  issue(file: string, name: string, options?: { readonly days?: number }): TestCertificate
}

/** Needs the program openssl. */
export function createTestAuthority(dir: string, name: string): TestAuthority {
  const own = filesOf(dir, name)
  const { keyFile, certificateFile } = own
  openssl('req', '-x509', '-days', '30', '-subj', `/CN=${name}`, '-out', certificateFile, ...newKey(keyFile))
  return {
    ...read(own),
    issue(file, san, { days = 30 } = {}) {
      const issued = filesOf(dir, file)
      const [request, extensions] = [join(dir, `${file}.csr`), join(dir, `${file}.ext`)]
      writeFileSync(extensions, `subjectAltName=${san}\n`)
      openssl('req', '-subj', `/CN=${file}`, '-out', request, ...newKey(issued.keyFile))
      const signer = ['-CA', certificateFile, '-CAkey', keyFile, '-CAcreateserial', '-days', String(days)]
      openssl('x509', '-req', '-in', request, '-out', issued.certificateFile, '-extfile', extensions, ...signer)
      return read(issued)
    },
  }
}

function filesOf(dir: string, name: string): { certificateFile: string; keyFile: string } {
  return { certificateFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}.key`) }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file]
}

function read<T extends { certificateFile: string; keyFile: string }>(files: T): T & TestCertificate {
  return {
    ...files,
    certificate: readFileSync(files.certificateFile, 'utf8'),
    key: readFileSync(files.keyFile, 'utf8'),
  }
}

function openssl(...args: string[]): void {
  const { status, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${error?.message ?? stderr}`)
}
