import type { Cluster, Redis } from '@millrace/redis'
import { BEGINNING, type GroupMirror } from '../../driver/stream-driver.js'

/**
 * Copies a group's positions to a Redis consumer group, so that XINFO GROUPS shows its lag. ENTRIESREAD makes the lag exact; it needs Redis 7, and
 * older servers get only the position.
 */
export class RedisGroupMirror {
  readonly #client: Redis | Cluster
  #knowsEntriesRead = true

  constructor(client: Redis | Cluster) {
    this.#client = client
  }

  async set(key: string, group: string, mirror: GroupMirror): Promise<void> {
    try {
      await this.#setId(key, group, mirror)
    } catch (error) {
      const { message } = error as Error
      // The key or the group is missing; creating the group creates both.
      if (!message.startsWith('NOGROUP') && !message.includes('requires the key to exist')) throw error
      await this.#client.xgroup('CREATE', key, group, '0', 'MKSTREAM')
      await this.#setId(key, group, mirror)
    }
  }

  async #setId(key: string, group: string, { position, framesRead }: GroupMirror): Promise<void> {
    const id = position === BEGINNING ? '0' : position
    if (this.#knowsEntriesRead) {
      try {
        await this.#client.call('XGROUP', 'SETID', key, group, id, 'ENTRIESREAD', framesRead)
        return
      } catch (error) {
        if (!/syntax|wrong number of arguments|unknown subcommand/i.test((error as Error).message)) throw error
        this.#knowsEntriesRead = false
      }
    }
    await this.#client.call('XGROUP', 'SETID', key, group, id)
  }
}
