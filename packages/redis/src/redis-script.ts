import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Cluster, Redis } from 'ioredis'

/** One Lua script. Its header documents KEYS, ARGV and the reply. */
export interface RedisScript {
  readonly name: string
  /**
   * Runs the script by its digest, and sends its text only if the server does not know it. In a Cluster all keys must share a hash tag. The reply has
   * ioredis' shape.
   */
  run(client: Redis | Cluster, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown>
  /** Like `run`, with every string of the reply as a Buffer. */
  runForBuffers(
    client: Redis | Cluster,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown>
}

/** `source` is the text or the URL of the file: `new URL('./append.lua', import.meta.url)`. */
export function defineScript(name: string, source: string | URL): RedisScript {
  const lua = typeof source === 'string' ? source : readFileSync(source, 'utf8')
  const digest = createHash('sha1').update(lua).digest('hex')
  return {
    name,
    async run(client, keys, args) {
      const operands = [...keys, ...args]
      try {
        return await client.evalsha(digest, keys.length, ...operands)
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        return await client.eval(lua, keys.length, ...operands)
      }
    },
    async runForBuffers(client, keys, args) {
      const operands = [...keys, ...args]
      try {
        return await client.callBuffer('evalsha', digest, keys.length, ...operands)
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        return await client.callBuffer('eval', lua, keys.length, ...operands)
      }
    },
  }
}

const isUnknownScript = (error: unknown) => error instanceof Error && error.message.startsWith('NOSCRIPT')
