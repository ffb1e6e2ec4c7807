import type { Entity } from './entity.js'

export const trrs: Entity = {
  name: 'trrs',
  description: 'technical risk reviews of proof-of-value projects',
  table: 'trrs',
  key: 'trr_id',
  columns: {
    trr_id: { description: 'id of the review', type: 'text', classification: 'key', otherNames: ['id', 'trr'] },
    pov_id: {
      description: 'project that is reviewed',
      type: 'text',
      isRequired: true,
      references: 'povs',
      classification: 'other',
      otherNames: ['pov'],
    },
    title: {
      description: 'what the risk is',
      type: 'text',
      isRequired: true,
      lengthMax: 1000,
      classification: 'other',
      otherNames: ['name'],
    },
    risk: {
      description: 'how large it is',
      type: 'text',
      isRequired: true,
      values: ['low', 'medium', 'high', 'critical'],
      classification: 'other',
    },
    status: {
      description: 'state',
      type: 'text',
      isRequired: true,
      values: ['open', 'mitigated', 'accepted', 'closed'],
      classification: 'other',
    },
    owner_id: {
      description: 'user who watches it',
      type: 'text',
      references: 'users',
      classification: 'other',
      otherNames: ['owner'],
    },
    score: { description: 'from 0 to 100', type: 'integer', min: 0, max: 100, classification: 'other' },
    due_on: {
      description: 'day by which it has to be closed',
      type: 'date',
      classification: 'other',
      otherNames: ['due', 'due_date'],
    },
  },
}
