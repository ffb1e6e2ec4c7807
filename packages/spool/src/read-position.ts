import { join } from 'node:path'
import type { Logger } from '@millrace/logger'
import type { SpoolFileSystem } from './file-system.js'

/** Everything before `offset` in segment `number`, and all segments before it, were removed. */
export interface ReadPosition {
  readonly number: number
  readonly offset: number
}

interface ReadPositionDeps {
  readonly directory: string
  readonly files: SpoolFileSystem
  readonly logger: Logger
}

/** The file in which a spool keeps how far it was read. Not fsynced and allowed to be old: records are then read once more. */
export class ReadPositionFile {
  readonly #deps: ReadPositionDeps
  readonly #path: string
  #isFailing = false

  constructor(deps: ReadPositionDeps) {
    this.#deps = deps
    this.#path = join(deps.directory, 'position')
  }

  /** The beginning when the file is missing or damaged. */
  async load(): Promise<ReadPosition> {
    const match = /^(\d+) (\d+)\n$/.exec((await this.#deps.files.readText(this.#path)) ?? '')
    return match ? { number: Number(match[1]), offset: Number(match[2]) } : { number: 0, offset: 0 }
  }

  /** Never rejects. */
  async save({ number, offset }: ReadPosition): Promise<void> {
    const { files, logger } = this.#deps
    try {
      await files.writeText(`${this.#path}.new`, `${number} ${offset}\n`)
      await files.rename(`${this.#path}.new`, this.#path)
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) logger.warn('the read position of the spool could not be saved', { error })
      this.#isFailing = true
    }
  }
}
