import type { Entity } from './entity.js'

export const users: Entity = {
  name: 'users',
  description: 'people who use a product',
  table: 'users',
  key: 'user_id',
  columns: {
    user_id: {
      description: 'id, as in events',
      type: 'text',
      classification: 'key',
      otherNames: ['id', 'uid', 'user'],
    },
    email: {
      description: 'mail address',
      type: 'text',
      lengthMax: 320,
      pattern: { expression: /^[^\s@]+@[^\s@]+\.[^\s@.]+$/u, rule: 'must be a mail address' },
      classification: 'personal',
      otherNames: ['mail', 'email_address'],
    },
    name: {
      description: 'full name',
      type: 'text',
      classification: 'personal',
      otherNames: ['full_name', 'display_name'],
    },
    role: { description: 'role in the product', type: 'text', classification: 'other' },
    company: {
      description: 'employer',
      type: 'text',
      classification: 'other',
      otherNames: ['organization', 'account'],
    },
    country: {
      description: 'ISO 3166 code of two letters',
      type: 'text',
      pattern: { expression: /^[A-Z]{2}$/, rule: 'must be a country code of two capital letters' },
      classification: 'other',
    },
    is_active: {
      description: 'whether the user may sign in',
      type: 'boolean',
      classification: 'other',
      otherNames: ['active', 'enabled'],
    },
    score: { description: 'a rating', type: 'decimal', classification: 'other' },
    signed_up_at: {
      description: 'when the user signed up',
      type: 'timestamp',
      classification: 'other',
      otherNames: ['created_at', 'signup_date'],
    },
  },
}
