export type ColumnType = 'text' | 'integer' | 'decimal' | 'boolean' | 'date' | 'timestamp'

/** A column that an import can fill. */
export interface EntityColumn {
  readonly description: string
  readonly type: ColumnType
  /** Whether each row must have a value. Columns of the key always must. */
  readonly isRequired?: boolean
  /** For texts: at most these many characters. Default 255. */
  readonly lengthMax?: number
  /** For texts: the only values that are allowed. */
  readonly values?: readonly string[]
  /** For texts: what the whole value must match, and how to say so. */
  readonly pattern?: { readonly expression: RegExp; readonly rule: string }
  /** For numbers. */
  readonly min?: number
  readonly max?: number
  /** The value must be the key of a row of this entity. */
  readonly references?: string
  /** Other names that headers have for this column. */
  readonly otherNames?: readonly string[]
  /** Personal data is masked in logs, and found by an erasure. */
  readonly classification: 'key' | 'personal' | 'other'
}

/**
 * What a file can be imported as. Everything that depends on the entity is made from this: validation, staging, the statements that load it. The table has
 * these columns, `tenant_id`, and `import_job` and `changed_at`, see the migration `imports`.
 */
export interface Entity {
  readonly name: string
  readonly description: string
  readonly table: string
  /** A text column that names a row within a tenant. */
  readonly key: string
  readonly columns: Readonly<Record<string, EntityColumn>>
}
