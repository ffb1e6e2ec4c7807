import type { Entity } from './entity.js'
import { povs } from './povs.js'
import { trrs } from './trrs.js'
import { users } from './users.js'

/** To add an entity: one file beside these, a table in a migration, and its name here. */
export const entities: ReadonlyMap<string, Entity> = new Map([users, povs, trrs].map((entity) => [entity.name, entity]))
