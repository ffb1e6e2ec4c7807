import type { DataOptions } from './generate.js'

/** The task of load-process.ts: to send the events of a data set to a stack. */
export interface LoadTask extends DataOptions {
  databaseUrl: string
  url: string
  writeKey: string
  stateFile: string
}

/** Kept in the state file beside the data of a data set. */
export interface DatasetState {
  endMs: number
  sent: number
  isLoaded: boolean
  isSettled?: boolean
  stats?: { loaded_by: string; load_seconds: number | undefined }
}
