import type { Queryable } from '@millrace/database'
import type { RollupDefinition } from './rollup-plan.js'

/** How long another gateway may take to learn of a new definition, with plenty to spare over its refresh of 10 s. */
const SPREAD_MS = 600_000

// A definition answers for windows that begin at active_from or later, so no event of such a window may have been accepted by a gateway
// that did not know the definition. Events lie at most `aheadMaxMs` in the future, so now + that + SPREAD_MS is safe; where no event was
// ever accepted every window is. Definitions that exist stay as they are; rows are few and the unique constraint settles races.
const register = `
  insert into rollup_definitions (event, dimensions, property, active_from)
  select d.event, d.dimensions, d.property,
    case when exists (select from ledger_produced where stream = $2) or exists (select from stream_partitions where stream = $2 and position <> '')
      then now() + $3 * interval '1 millisecond' else '-infinity' end
  from jsonb_to_recordset($1::jsonb) as d (event text, dimensions text[], property text)
  on conflict (event, dimensions, property) do nothing`

/** Adds the definitions that are not known yet. */
export async function registerRollups(
  database: Queryable,
  options: { definitions: readonly RollupDefinition[]; stream: string; aheadMaxMs: number },
): Promise<void> {
  const values = [JSON.stringify(options.definitions), options.stream, options.aheadMaxMs + SPREAD_MS]
  await database.query({ name: 'register-rollups', text: register, values })
}

/** The definitions in force, in a fixed order. Those whose active_from lies ahead are fed already. */
export async function loadRollups(database: Queryable): Promise<RollupDefinition[]> {
  const { rows } = await database.query<RollupDefinition>({
    name: 'load-rollups',
    text: 'select event, dimensions, property from rollup_definitions where active_until is null or active_until > now() order by id',
  })
  return rows
}
