import type { Node } from './openapi-schemas.js'

interface ListExample {
  readonly data: readonly Node[]
  readonly summary?: Node
}

/** The answers of the lists of sessions and activities over the sample events; openapi-lists.ts has the parameters. */
export const listExamples: Readonly<Record<'sessions' | 'activities', ListExample>> = {
  sessions: {
    data: [
      {
        session_id: 'visit-7',
        user_id: 'u1',
        is_active: false,
        started_at: '2026-11-19T08:00:00.000Z',
        last_seen_at: '2026-11-19T08:30:00.000Z',
        ended_at: '2026-11-19T08:30:00.000Z',
        end_reason: 'logout',
        device: 'desktop',
        browser: 'Firefox',
        os: 'Linux',
        ip: '192.0.2.7',
      },
    ],
    summary: { active_sessions: 0 },
  },
  activities: {
    data: [
      {
        message_id: 'refund-41',
        user_id: 'u1',
        timestamp: '2026-11-19T08:05:00.000Z',
        action: 'refunded',
        entity_type: 'order',
        entity_id: 'order-41',
        metadata: { amount: 20 },
      },
    ],
  },
}
