import { z } from 'zod'

/** Schemas that have a name of their own in the OpenAPI document and in the client's types. */
export const schemaNames = z.registry<{ id: string }>()

/** The schema with a description, under that name. */
export function named<Schema extends z.ZodObject>(id: string, description: string, schema: Schema): Schema {
  const described = schema.describe(description)
  schemaNames.add(described, { id })
  return described
}
