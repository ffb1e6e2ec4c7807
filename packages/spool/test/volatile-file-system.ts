import { basename } from 'node:path'
import type { SpoolFile, SpoolFileSystem } from '../src/file-system.js'

/** What becomes of a change that was not synced when the power fails: it is lost, half of it is on the disk, or all of it is. */
export type Survival = 'lost' | 'half' | 'whole'

type ContentChange = { readonly offset: number; readonly bytes: Buffer } | { readonly length: number }

class Inode {
  durable: Buffer = Buffer.alloc(0)
  unsynced: ContentChange[] = []

  get content(): Buffer {
    return this.unsynced.reduce<Buffer>(applyChange, this.durable)
  }

  sync(): void {
    this.durable = this.content
    this.unsynced = []
  }
}

/** Names that change together; undefined removes a name. */
type NameChange = ReadonlyMap<string, Inode | undefined>

/**
 * One directory in memory that behaves like a disk with a volatile cache: content survives a power loss only after `datasync`, names only after
 * `syncDirectory`; of any other change nothing, a part or everything may survive. The power fails during operation `failsAt`, which like all later
 * ones never ends.
 */
export class VolatileFileSystem implements SpoolFileSystem {
  /** Resolves when the power fails. */
  readonly powerLoss: Promise<void>
  #durableNames: ReadonlyMap<string, Inode>
  #unsyncedNames: NameChange[] = []
  #operations = 0
  readonly #failsAt: number
  #fail: () => void = () => undefined

  constructor(failsAt = Number.POSITIVE_INFINITY, names: ReadonlyMap<string, Inode> = new Map()) {
    this.#failsAt = failsAt
    this.#durableNames = names
    this.powerLoss = new Promise((resolve) => {
      this.#fail = resolve
    })
  }

  /** The disk as it is found after the power has failed now. */
  restart(failsAt: number, survivalOf: () => Survival): VolatileFileSystem {
    const kept = this.#unsyncedNames.filter(() => survivalOf() === 'whole')
    const names = new Map<string, Inode>()
    const copies = new Map<Inode, Inode>()
    for (const [name, inode] of kept.reduce(applyNames, this.#durableNames)) {
      const copy = copies.get(inode) ?? new Inode()
      copies.set(inode, copy)
      copy.durable = inode.unsynced.reduce<Buffer>(
        (content, change) => applyPart(content, change, survivalOf()),
        inode.durable,
      )
      names.set(name, copy)
    }
    return new VolatileFileSystem(failsAt, names)
  }

  async createDirectory(): Promise<undefined> {}

  async lock(): Promise<() => Promise<void>> {
    return async () => undefined
  }

  list(): Promise<string[]> {
    return this.#operate(() => [...this.#names.keys()])
  }

  create(path: string): Promise<SpoolFile> {
    return this.#operate(() => {
      if (this.#names.has(basename(path))) throw Object.assign(new Error('the file exists'), { code: 'EEXIST' })
      const inode = new Inode()
      this.#unsyncedNames.push(new Map([[basename(path), inode]]))
      return this.#fileOf(inode)
    })
  }

  open(path: string): Promise<SpoolFile> {
    return this.#operate(() => this.#fileOf(this.#inodeOf(path)))
  }

  readText(path: string): Promise<string | undefined> {
    return this.#operate(() => this.#names.get(basename(path))?.content.toString())
  }

  writeText(path: string, text: string): Promise<void> {
    return this.#operate(() => {
      const inode = new Inode()
      inode.unsynced.push({ offset: 0, bytes: Buffer.from(text) })
      this.#unsyncedNames.push(new Map([[basename(path), inode]]))
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operate(() => {
      const inode = this.#inodeOf(from)
      this.#unsyncedNames.push(
        new Map<string, Inode | undefined>([
          [basename(from), undefined],
          [basename(to), inode],
        ]),
      )
    })
  }

  remove(path: string): Promise<void> {
    return this.#operate(() => {
      this.#inodeOf(path)
      this.#unsyncedNames.push(new Map([[basename(path), undefined]]))
    })
  }

  syncDirectory(): Promise<void> {
    return this.#operate(undefined, () => {
      this.#durableNames = this.#names
      this.#unsyncedNames = []
    })
  }

  get #names(): ReadonlyMap<string, Inode> {
    return this.#unsyncedNames.reduce(applyNames, this.#durableNames)
  }

  #inodeOf(path: string): Inode {
    const inode = this.#names.get(basename(path))
    if (inode === undefined) throw Object.assign(new Error(`${path} does not exist`), { code: 'ENOENT' })
    return inode
  }

  #fileOf(inode: Inode): SpoolFile {
    return {
      size: () => this.#operate(() => inode.content.length),
      read: (offset, bytes) => this.#operate(() => inode.content.subarray(offset, offset + bytes)),
      write: (buffers, offset) =>
        this.#operate(() => {
          const bytes = Buffer.concat(buffers)
          inode.unsynced.push({ offset, bytes })
          return bytes.length
        }),
      truncate: (length) => this.#operate(() => void inode.unsynced.push({ length })),
      datasync: () => this.#operate(undefined, () => inode.sync()),
      close: () => this.#operate(() => undefined),
    }
  }

  /** `change` has begun when the power fails during the operation; `sync` has not. Each takes a turn, so that concurrent calls interleave. */
  async #operate<T>(change: (() => T) | undefined, sync?: () => T): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#operations++
    if (this.#operations > this.#failsAt) await new Promise(() => undefined)
    const result = change?.()
    if (this.#operations === this.#failsAt) {
      this.#fail()
      await new Promise(() => undefined)
    }
    return sync === undefined ? (result as T) : sync()
  }
}

function applyNames(names: ReadonlyMap<string, Inode>, change: NameChange): ReadonlyMap<string, Inode> {
  const changed = new Map(names)
  for (const [name, inode] of change) {
    if (inode === undefined) changed.delete(name)
    else changed.set(name, inode)
  }
  return changed
}

function applyChange(content: Buffer, change: ContentChange): Buffer {
  if ('length' in change) return content.subarray(0, change.length)
  const { offset, bytes } = change
  const grown = Buffer.alloc(Math.max(content.length, offset + bytes.length))
  content.copy(grown)
  bytes.copy(grown, offset)
  return grown
}

function applyPart(content: Buffer, change: ContentChange, survival: Survival): Buffer {
  if (survival === 'lost') return content
  if (survival === 'whole' || 'length' in change) return applyChange(content, change)
  return applyChange(content, { ...change, bytes: change.bytes.subarray(0, change.bytes.length / 2) })
}
