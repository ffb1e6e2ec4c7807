/** One open file. */
export interface SpoolFile {
  size(): Promise<number>
  /** Reads up to `bytes` from `offset`; fewer at the end of the file. */
  read(offset: number, bytes: number): Promise<Buffer>
  /** Writes at `offset` and returns the number of bytes written: a full disk may take a part only. */
  write(buffers: readonly Buffer[], offset: number): Promise<number>
  truncate(bytes: number): Promise<void>
  /** The file's content and size survive power loss once this resolves; its name needs `SpoolFileSystem.syncDirectory`. */
  datasync(): Promise<void>
  close(): Promise<void>
}

/** The file system under a spool. Handed in, so that tests can count syncs and simulate power loss. */
export interface SpoolFileSystem {
  /** Creates a directory and its missing parents; returns the topmost one that was created, undefined when none was. */
  createDirectory(path: string): Promise<string | undefined>
  /** Keeps other processes of this machine out of `directory` until the returned function is called. @throws SPOOL_LOCKED */
  lock(directory: string): Promise<() => Promise<void>>
  /** Names of the files in a directory, in any order. */
  list(directory: string): Promise<string[]>
  /** @throws EEXIST */
  create(path: string): Promise<SpoolFile>
  /** @throws ENOENT */
  open(path: string): Promise<SpoolFile>
  /** Undefined when there is no such file. */
  readText(path: string): Promise<string | undefined>
  writeText(path: string, text: string): Promise<void>
  /** Replaces a file of the new name. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Names that were created, removed or changed in `directory` survive power loss once this resolves. */
  syncDirectory(directory: string): Promise<void>
}
