import { importErrors } from '../errors.js'
import type { Entity } from './entity.js'
import { povs } from './povs.js'
import { trrs } from './trrs.js'
import { users } from './users.js'

/** To add an entity: one file beside these, a table in a migration, and its name here. */
export const entities: ReadonlyMap<string, Entity> = new Map([users, povs, trrs].map((entity) => [entity.name, entity]))

/** @throws IMPORT_MAPPING_INVALID when there is none with this name */
export function findEntity(name: string): Entity {
  const entity = entities.get(name)
  if (entity !== undefined) return entity
  const known = [...entities.keys()].join(', ')
  throw importErrors.IMPORT_MAPPING_INVALID({
    message: `there is no entity ${name}: there are ${known}`,
    details: { known },
  })
}
