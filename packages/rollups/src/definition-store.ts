import type { Queryable } from '@millrace/database'
import type { RollupDefinition } from './rollup-definition.js'

/** Gateways load new definitions every 10 s; after this time each running gateway surely knows them. */
const ALL_GATEWAYS_KNOW_MS = 600_000

// Queries use a definition for windows that begin at active_from or later, so every event of such a window must have
// been accepted by a gateway that knew the definition. Events lie at most aheadMaxMs in the future, so now +
// aheadMaxMs + ALL_GATEWAYS_KNOW_MS is safe. When no event was ever accepted, all windows are safe. Existing
// definitions are not changed; the unique constraint decides between gateways that start together.
const register = `
  insert into rollup_definitions (event, dimensions, property, active_from)
  select d.event, d.dimensions, d.property,
    case when exists (select from ledger_produced where stream = $2) or exists (select from stream_partitions where stream = $2 and position <> '')
      then now() + $3 * interval '1 millisecond' else '-infinity' end
  from jsonb_to_recordset($1::jsonb) as d (event text, dimensions text[], property text)
  on conflict (event, dimensions, property) do nothing`

/** Adds those definitions to the table that it does not hold yet. */
export async function registerRollupDefinitions(
  database: Queryable,
  options: { definitions: readonly RollupDefinition[]; stream: string; aheadMaxMs: number },
): Promise<void> {
  const values = [JSON.stringify(options.definitions), options.stream, options.aheadMaxMs + ALL_GATEWAYS_KNOW_MS]
  await database.query({ name: 'register-rollups', text: register, values })
}

/**
 * The definitions that events must be counted for, in the order of their ids. Includes those that queries may not use
 * yet.
 */
export async function loadRollupDefinitions(database: Queryable): Promise<RollupDefinition[]> {
  const { rows } = await database.query<RollupDefinition>({
    name: 'load-rollups',
    text: 'select event, dimensions, property from rollup_definitions where active_until is null or active_until > now() order by id',
  })
  return rows
}
