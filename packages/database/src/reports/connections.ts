import type { Queryable } from '../statement.js'
import type { Section } from './render-report.js'

const CONNECTIONS = `
  select coalesce(nullif(application_name, ''), '(none)') as application, coalesce(state, '-') as state, count(*)::float8 as connections,
    count(*) filter (where wait_event_type = 'Lock')::float8 as waiting_for_locks,
    (extract(epoch from max(clock_timestamp() - xact_start)) * 1000)::float8 as longest_transaction_ms
  from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
  group by 1, 2 order by 1, 2`

/** Connections by application and state, and what they wait for. Figures of the pools are metrics of each service. */
export async function reportConnections(database: Queryable): Promise<Section[]> {
  const { rows } = await database.query<Record<string, string | number | null>>(CONNECTIONS)
  return [
    {
      title: 'connections',
      columns: {
        application: 'text',
        state: 'text',
        connections: 'count',
        waiting_for_locks: 'count',
        longest_transaction_ms: 'ms',
      },
      rows,
    },
  ]
}
