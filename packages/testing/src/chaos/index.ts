export { checkEvents, describeFaults, type EventFindings, type SentLoad } from './check-events.js'
export { findLedgerFault, type LedgerEntry, type LedgerSource, readLedger, waitUntilSettled } from './ledger.js'
