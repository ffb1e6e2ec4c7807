import type { Entity } from './entity.js'

export const povs: Entity = {
  name: 'povs',
  description: 'proof-of-value projects',
  table: 'povs',
  key: 'pov_id',
  columns: {
    pov_id: { description: 'id of the project', type: 'text', classification: 'key', otherNames: ['id', 'pov'] },
    name: {
      description: 'name of the project',
      type: 'text',
      isRequired: true,
      classification: 'other',
      otherNames: ['title'],
    },
    customer: {
      description: 'for whom',
      type: 'text',
      isRequired: true,
      classification: 'other',
      otherNames: ['account', 'company'],
    },
    owner_id: {
      description: 'user who leads it',
      type: 'text',
      references: 'users',
      classification: 'other',
      otherNames: ['owner'],
    },
    status: {
      description: 'state',
      type: 'text',
      isRequired: true,
      values: ['planned', 'active', 'won', 'lost'],
      classification: 'other',
    },
    value: {
      description: 'expected revenue',
      type: 'decimal',
      min: 0,
      classification: 'other',
      otherNames: ['amount'],
    },
    starts_on: { description: 'first day', type: 'date', classification: 'other', otherNames: ['start', 'start_date'] },
    ends_on: { description: 'last day', type: 'date', classification: 'other', otherNames: ['end', 'end_date'] },
  },
}
