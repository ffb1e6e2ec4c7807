import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Archive, createMasterKeys, parseMasterKeys, TenantKeys } from '@millrace/archive'
import { openDatabase } from '@millrace/database'
import { openArchive } from '@millrace/object-store'
import {
  archiveRules,
  checkRules,
  defineConfig,
  directory,
  logStreamSettings,
  parseConfig,
  secret,
} from '@millrace/service'
import { type Arguments, commands } from './archive-commands.js'
import { logArchiveSettings } from './archive-settings.js'

const USAGE = `usage: npm run archive -- COMMAND
  verify [--tenant ID]       reads every segment of the archive. Prints the segments that were modified, truncated or removed, and the chains whose last entries are missing
  restore --from A --to B [--tenant ID] [--keep-days 7] [--into TABLE]
                             loads archived log lines into log_chunks again, where searches find them for these days; may be repeated
  export --from A --to B --into FILE.parquet [--tenant ID]
  hold add --tenant ID --reason TEXT [--from A] [--to B] | hold release HOLD | hold list
                             a legal hold: archived log lines of these times are not deleted until it is released
  rule --tenant ID [--level LEVEL] --days N|default | rule list
                             how long archived log lines of a tenant are kept; a segment is kept as long as the longest rule of its levels says
  rotate [tenants]           wraps the keys of all tenants by the first key of ARCHIVE_MASTER_KEYS; with tenants, each gets a new key besides
  rebuild                    adds what the object store has to PostgreSQL, after the database was lost
  status                     how many log lines wait for the archive
Times are dates such as 2026-11-30 (their start in UTC) or 2026-11-30T14:00:00Z. Exit code 1 for a problem.
ARCHIVE_MASTER_KEYS must be set. Default of ARCHIVE_URL: the folder archive below MILLRACE_DATA_DIR. Default of DATABASE_URL: the PostgreSQL of the stack that npm start runs here.
`

const configSchema = defineConfig({
  ...logArchiveSettings(),
  ...logStreamSettings(),
  DATABASE_URL: secret({ description: 'PostgreSQL' }),
  MILLRACE_DATA_DIR: directory({ default: '.millrace', description: 'folder with the default archive' }),
}).superRefine(checkRules(...archiveRules))

/** The process whose command it is, or what a test has in its place. */
interface CommandCaller {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Output
  readonly stderr: Output
}

interface Output {
  write(text: string): unknown
}

function readArguments(args: readonly string[]): Arguments | undefined {
  const text = { type: 'string' } as const
  const options = {
    tenant: text,
    from: text,
    to: text,
    into: text,
    reason: text,
    level: text,
    days: text,
    'keep-days': text,
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return { options: values, rest: positionals }
  } catch {
    return undefined
  }
}

/** npm changes the folder; the file is named from where the user is. */
function withFileOfUser({ options, rest }: Arguments, folder = '.'): Arguments {
  const { into } = options
  return { rest, options: into === undefined ? options : { ...options, into: resolve(folder, into) } }
}

/** Runs one command of `npm run archive`. Returns its exit code; an error is printed and has exit code 1. */
export async function runArchiveCommand(words: readonly string[], caller: CommandCaller): Promise<number> {
  try {
    return await run(words, caller)
  } catch (error) {
    caller.stderr.write(`${(error as Error).message}\n`)
    return 1
  }
}

async function run([name = '', ...words]: readonly string[], { env, stdout, stderr }: CommandCaller): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  const args = readArguments(words)
  if (command === undefined || args === undefined) {
    stderr.write(USAGE)
    return 2
  }
  const config = parseConfig(configSchema, env)
  if (config.ARCHIVE_MASTER_KEYS === undefined)
    throw new Error(
      'ARCHIVE_MASTER_KEYS is not set: without it nothing is archived, and nothing in the archive can be read',
    )
  const wrapper = createMasterKeys(parseMasterKeys(config.ARCHIVE_MASTER_KEYS.reveal()))
  const database = openDatabase({
    url: config.DATABASE_URL.reveal(),
    connectionLimit: 2,
    applicationName: 'millrace-archive-cli',
  })
  const store = await openArchive(config)
  try {
    const keys = new TenantKeys({ store, wrapper })
    const archive = new Archive({ database, store, keys, now: () => new Date() })
    const print = (line: string) => void stdout.write(`${line}\n`)
    const origin = { actor: 'command:archive' }
    const context = { database, store, keys, archive, stream: config.LOG_STREAM_NAME, origin, print }
    const code = await command(context, name === 'export' ? withFileOfUser(args, env.INIT_CWD) : args)
    if (code === undefined) stderr.write(USAGE)
    return code ?? 2
  } finally {
    await store.close()
    await database.close()
  }
}
