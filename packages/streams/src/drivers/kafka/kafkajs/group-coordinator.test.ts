import { describe, expect, it } from '@jest/globals'
import type { BrokerNodes } from './broker-nodes.js'
import { KafkajsGroupCoordinator } from './group-coordinator.js'

const MEMBER = { memberId: 'm', instance: undefined, generation: 1 }

/** Brokers of which the whole set is replaced: those that are gone are known until somebody asks for metadata. */
class ReplacedBrokers {
  present = [1, 2]
  #known: readonly number[] = []

  async metadata() {
    this.#known = this.present
  }

  async cluster() {
    if (this.#known.length === 0) await this.metadata()
    return { nodes: this.#known, controller: -1 }
  }

  async connect(node: number) {
    if (!this.present.includes(node)) throw new Error(`broker ${node} cannot be reached`)
    return { findGroupCoordinator: async () => ({ coordinator: { nodeId: this.present[0] } }) }
  }

  run<T>(_: unknown, call: () => Promise<T>) {
    return call()
  }

  async send() {
    return { errorCode: 0, value: undefined }
  }

  close() {}
}

describe('the coordinator of a group', () => {
  it('is found again after all brokers that were known have been replaced', async () => {
    const brokers = new ReplacedBrokers()
    const open = () => brokers as unknown as BrokerNodes
    const coordinator = new KafkajsGroupCoordinator({ group: 'g', topic: 't' }, open)
    await coordinator.heartbeat(MEMBER, 1000)
    brokers.present = [3, 4]
    await expect(coordinator.heartbeat(MEMBER, 1000)).rejects.toThrow('cannot be reached')
    coordinator.forget()
    await coordinator.heartbeat(MEMBER, 1000)
  })
})
