import { toEventJson } from '@millrace/contracts'
import type { BoundedPage } from '@millrace/pagination'
import { encodeEventPosition } from './events-query.js'
import type { EventRow } from './events-statements.js'

export interface EventsPage {
  readonly eventsJson: string[]
  readonly nextCursor: string
}

/** Adds the next rows of the list to the page. */
export function addEvents(page: BoundedPage<EventRow>, rows: readonly EventRow[]): void {
  for (const row of rows) {
    page.add(toEventJson(row), row)
    if (page.isFull) return
  }
  if (rows.at(-1)?.has_next === true) page.close()
}

/** The page when it is full or the list has ended. */
export function endPage(page: BoundedPage<EventRow>): EventsPage {
  const { last } = page
  const position = last && {
    timestampUs: Number(last.timestamp_us),
    partition: last.partition,
    position: String(last.position),
  }
  return {
    eventsJson: [...page.texts],
    nextCursor: page.isFull && position !== null ? encodeEventPosition(position) : '',
  }
}
