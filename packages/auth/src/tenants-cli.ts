import { type Database, openDatabase } from '@millrace/database'
import { createLogger } from '@millrace/logger'
import { authErrors } from './errors.js'
import { KeyManager } from './keys/key-manager.js'
import { setTenantLimits } from './limits/set-tenant-limits.js'

const USAGE = `usage: npm run tenants -- COMMAND
  add NAME                  creates a tenant with a write key and an admin key and prints the keys
  admin-key NAME            creates another admin key for a tenant and prints it, for example after the last one was revoked or lost
  limit NAME RATE [BURST]   sets how many events a second the tenant may send, and how many at once (default: those of two seconds);
                            0 blocks the tenant; takes effect within a second
  limit NAME default        removes the tenant's own limit
Keys cannot be printed again. Uses the database in DATABASE_URL, or else that of the stack that npm start runs.
`

/** In audit entries. */
const ACTOR = 'command:tenants'

interface Tools {
  readonly database: Database
  readonly manager: KeyManager
}

/** Runs one command and returns what to print; undefined when the arguments are wrong. */
type Command = (tools: Tools, args: readonly string[]) => Promise<string | undefined>

const commands: Readonly<Record<string, Command>> = {
  async add({ manager }, [name, ...rest]) {
    if (!name || rest.length > 0) return undefined
    const tenantId = await manager.createTenant(name)
    const write = await manager.create({ tenantId, name: 'write', scopes: ['write'] })
    const admin = await createAdminKey(manager, tenantId)
    return `tenant ${tenantId} ${name}\nwrite key ${write.key}\nadmin key ${admin}`
  },
  async 'admin-key'({ manager }, [name, ...rest]) {
    if (!name || rest.length > 0) return undefined
    return `admin key ${await createAdminKey(manager, await findTenant(manager, name))}`
  },
  async limit({ database, manager }, [name, rateText = '', burstText, ...rest]) {
    const rate = readLimit(rateText)
    const burst = burstText === undefined ? undefined : readLimit(burstText)
    const isDefault = rateText === 'default' && burstText === undefined
    const isValid = isDefault || (rate !== undefined && (burst !== undefined || burstText === undefined))
    if (!name || rest.length > 0 || !isValid) return undefined
    const limits = isDefault ? undefined : { ratePerSecond: rate, burst }
    const tenantId = await findTenant(manager, name)
    await setTenantLimits(database, { tenantId, limits, origin: { actor: ACTOR } })
    if (limits === undefined) return `tenant ${name} has the limit of the service`
    return rate === 0 ? `tenant ${name} is blocked` : `tenant ${name} may send ${rate} events a second`
  },
}

async function createAdminKey(manager: KeyManager, tenantId: number): Promise<string> {
  return (await manager.create({ tenantId, name: 'admin', scopes: ['write', 'read', 'admin'] })).key
}

async function findTenant(manager: KeyManager, name: string): Promise<number> {
  const id = await manager.findTenant(name)
  if (id === undefined) throw authErrors.TENANT_NOT_FOUND({ message: `there is no tenant ${name}` })
  return id
}

function readLimit(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
}

async function main([name = '', ...args]: readonly string[], url: string | undefined): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined || !url) {
    process.stderr.write(USAGE)
    return 2
  }
  const logger = createLogger({
    service: 'tenants',
    write: (line) => process.stderr.write(line),
  })
  const database = openDatabase({ url, connectionLimit: 1, applicationName: 'millrace-tenants' })
  try {
    const output = await command({ database, manager: new KeyManager({ database, logger, actor: ACTOR }) }, args)
    process[output === undefined ? 'stderr' : 'stdout'].write(output === undefined ? USAGE : `${output}\n`)
    return output === undefined ? 2 : 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    await database.close()
    logger.close()
  }
}

process.exitCode = await main(process.argv.slice(2), process.env.DATABASE_URL)
