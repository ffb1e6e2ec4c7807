export { createExclusively } from './exclusive-file.js'
export { isAlive, isRunning, ownIdentity, processIdentity, readProcessStat } from './process-identity.js'
