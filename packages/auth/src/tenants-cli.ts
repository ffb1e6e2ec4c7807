import { openDatabase } from '@millrace/database'
import { createLogger } from '@millrace/logger'
import { KeyManager } from './keys/key-manager.js'

const USAGE = `usage: npm run tenants -- add NAME
Creates a tenant with a write key and an admin key and prints the keys. They cannot be printed again.
Uses the database in DATABASE_URL, or else that of the stack that npm start runs.
`

async function main([command, name, ...rest]: readonly string[], url: string | undefined): Promise<number> {
  if (command !== 'add' || !name || rest.length > 0 || !url) {
    process.stderr.write(USAGE)
    return 2
  }
  const logger = createLogger({ service: 'tenants', write: (line) => process.stderr.write(line) })
  const database = openDatabase({ url, connectionLimit: 1, applicationName: 'millrace-tenants' })
  try {
    const manager = new KeyManager({ database, logger })
    const tenantId = await manager.createTenant(name)
    const write = await manager.create({ tenantId, name: 'write', scopes: ['write'] })
    const admin = await manager.create({ tenantId, name: 'admin', scopes: ['write', 'read', 'admin'] })
    process.stdout.write(`tenant ${tenantId} ${name}\nwrite key ${write.key}\nadmin key ${admin.key}\n`)
    return 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    await database.close()
    logger.close()
  }
}

process.exitCode = await main(process.argv.slice(2), process.env.DATABASE_URL)
