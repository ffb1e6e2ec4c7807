import { type Database, openDatabase } from '@millrace/database'
import { auditTenants, readAudit, verifyAudit } from './verify-audit.js'

const USAGE = `usage: npm run audit -- COMMAND
  verify [TENANT_ID [HEAD]]  checks the hash chains of all tenants, or of one; HEAD is the head that an earlier run printed (seq:hash):
                             noted elsewhere, it proves that nothing up to it was changed or removed since. Exit code 1 for a problem
  list TENANT_ID             prints the entries of a tenant as JSON lines, oldest first
Uses the database in DATABASE_URL, or else that of the stack that npm start runs.
`

/** Returns the exit code; undefined when the arguments are wrong. */
type Command = (database: Database, args: readonly string[]) => Promise<number | undefined>

const commands: Readonly<Record<string, Command>> = {
  async verify(database, [tenant, head, ...rest]) {
    if (rest.length > 0 || (tenant !== undefined && !isId(tenant))) return undefined
    const tenants = tenant === undefined ? await auditTenants(database) : [Number(tenant)]
    let problems = 0
    for (const id of tenants) {
      const report = await verifyAudit(database, id, head)
      print(`tenant ${id}: ${report.entries} entries, head ${report.head}, ${report.problems.length} problems`)
      for (const problem of report.problems) print(`tenant ${id}: ${problem}`)
      problems += report.problems.length
    }
    print(problems === 0 ? `the audit entries of ${tenants.length} tenants are whole` : `${problems} problems`)
    return problems === 0 ? 0 : 1
  },
  async list(database, [tenant, ...rest]) {
    if (tenant === undefined || !isId(tenant) || rest.length > 0) return undefined
    let seq = 0
    for (;;) {
      const entries = await readAudit(database, Number(tenant), seq)
      for (const { seq: number, entry, hash } of entries) print(`{"seq":${number},"hash":"${hash}",${entry.slice(1)}`)
      if (entries.length === 0) return 0
      seq = entries.at(-1)?.seq ?? seq
    }
  },
}

function isId(text: string): boolean {
  return /^\d{1,9}$/.test(text)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function main([name = '', ...args]: readonly string[], url: string | undefined): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined || !url) {
    process.stderr.write(USAGE)
    return 2
  }
  const database = openDatabase({ url, connectionLimit: 1, applicationName: 'millrace-audit' })
  try {
    const code = await command(database, args)
    if (code === undefined) process.stderr.write(USAGE)
    return code ?? 2
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    await database.close()
  }
}

process.exitCode = await main(process.argv.slice(2), process.env.DATABASE_URL)
