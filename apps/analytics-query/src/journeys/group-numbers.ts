import { textOf } from '@millrace/rollups'
import { errors } from '../errors.js'
import type { FieldPath } from '../query/field-path.js'
import { groupText } from '../query/group-text.js'

/** Numbers groups from 0 as they are met; without fields to group by there is one. */
export class GroupNumbers {
  readonly #groupBy: readonly FieldPath[]
  readonly groupsMax: number
  readonly #numbers = new Map<string, number>()
  readonly groups: (string | null)[][] = []

  constructor(groupBy: readonly FieldPath[], groupsMax: number) {
    this.#groupBy = groupBy
    this.groupsMax = groupsMax
    if (groupBy.length === 0) this.#add([])
  }

  /** The number of the group whose JSON values a row has as g0, g1, …. @throws TOO_MANY_GROUPS */
  numberOf(row: { readonly [group: `g${number}`]: unknown }): number {
    return this.#add(this.#groupBy.map((path, index) => groupText(path, textOf(row[`g${index}`]))))
  }

  #add(group: (string | null)[]): number {
    const key = JSON.stringify(group)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    if (this.groups.length >= this.groupsMax) throw tooManyGroups(this.groupsMax)
    this.#numbers.set(key, this.groups.length)
    return this.groups.push(group) - 1
  }
}

export function tooManyGroups(groupsMax: number) {
  return errors.TOO_MANY_GROUPS({
    message: `the query has more than ${groupsMax} groups: filter or group by fewer fields`,
    details: { groupsMax },
  })
}

/** `remedy` is what helps besides filters and fewer fields. */
export function tooManyCells(cellsMax: number, what: string, remedy: string) {
  return errors.TOO_MANY_GROUPS({
    message: `the query has more than ${cellsMax} ${what}: filter, group by fewer fields, shorten the range, ${remedy}`,
    details: { cellsMax },
  })
}
