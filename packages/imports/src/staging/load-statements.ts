import type { ColumnType, Entity } from '../entities/entity.js'
import type { DuplicateRule, ImportMode } from '../jobs/import-job.js'
import { quote, type StagingTable } from './staging-table.js'

const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'text',
  integer: 'bigint',
  decimal: 'numeric',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamptz',
}

interface LoadTarget {
  readonly entity: Entity
  readonly staging: StagingTable
}

/**
 * The SQL of one job. In all statements $1 is the job and $2 the tenant. Nothing of a user is part of a text: names are those of the entity and of the job's tables.
 */
export class LoadStatements {
  readonly #entity: Entity
  readonly #staging: StagingTable
  readonly #key: string
  readonly #columns: readonly string[]
  readonly #others: readonly string[]

  constructor({ entity, staging }: LoadTarget) {
    this.#entity = entity
    this.#staging = staging
    this.#key = quote(entity.key)
    this.#columns = staging.columns.map(quote)
    this.#others = staging.columns.filter((name) => name !== entity.key).map(quote)
  }

  /** Excludes and rejects the records whose key another record of the file has, by the rule. */
  excludeDuplicates(rule: DuplicateRule): string {
    const { name, excluded } = this.#staging
    const rival = {
      last: 'lead(record) over by_key',
      first: 'lag(record) over by_key',
      reject: 'nullif(count(*) over (partition by key), 1)',
    }[rule]
    const reason = {
      last: 'a later record of the file has the same key',
      first: 'an earlier record of the file has the same key',
      reject: 'several records of the file have this key',
    }[rule]
    return `
      with keyed as (select record, line, ${this.#key} as key from ${name}),
      ranked as (select record, line, key, ${rival} as rival from keyed window by_key as (partition by key order by record)),
      losers as (select record, line, key from ranked where rival is not null),
      excluded as (insert into ${excluded} select record from losers)
      ${this.#reject('losers', { code: 'duplicate_in_file', column: this.#entity.key, reason, value: 'key' })}`
  }

  /** Excludes and rejects the records whose reference names no row. */
  excludeMissing(column: string, referenced: Entity): string {
    const { name, excluded } = this.#staging
    return `
      with missing as (
        select s.record, s.line, s.${quote(column)} as value from ${name} s
        where s.${quote(column)} is not null
          and not exists (select from ${referenced.table} r where r.tenant_id = $2 and r.${quote(referenced.key)} = s.${quote(column)})
          and not exists (select from ${excluded} e where e.record = s.record)),
      excluded as (insert into ${excluded} select record from missing)
      ${this.#reject('missing', { code: 'reference_missing', column, reason: `there is no row of ${referenced.name} with this key`, value: 'value' })}`
  }

  /** Excludes the records that this job has loaded already, before PostgreSQL restarted and emptied the staging table. */
  excludeLoaded(): string {
    const { name, excluded } = this.#staging
    return `
      insert into ${excluded} select s.record from ${name} s
      where exists (select from ${this.#entity.table} t where t.tenant_id = $2 and t.${this.#key} = s.${this.#key} and t.import_job = $1)
      on conflict do nothing`
  }

  /** What loading would do, for a dry run. */
  preview(mode: ImportMode): string {
    const { table } = this.#entity
    const differs =
      this.#others.length === 0
        ? 'false'
        : `(${this.#list('t', this.#others)}) is distinct from (${this.#list('c', this.#others)})`
    const gone =
      mode === 'replace'
        ? `(select count(*) from ${table} t where t.tenant_id = $2 and not exists (select from candidate c where c.${this.#key} = t.${this.#key}))`
        : '0::bigint'
    return `
      with candidate as (${this.#candidates('true')})
      select $1::bigint as job, count(*) filter (where t.tenant_id is null) as created, count(*) filter (where t.tenant_id is not null and ${differs}) as updated,
        count(*) filter (where t.tenant_id is not null and not ${differs}) as unchanged, ${gone} as deleted
      from candidate c left join ${table} t on t.tenant_id = $2 and t.${this.#key} = c.${this.#key}`
  }

  /** Rejects the records whose row exists, before an atomic insert or in a dry run of one. */
  excludeExisting(): string {
    const { excluded } = this.#staging
    return `
      with existing as (
        select c.record, c.line, c.${this.#key} as key from (${this.#candidates('true')}) c
        where exists (select from ${this.#entity.table} t where t.tenant_id = $2 and t.${this.#key} = c.${this.#key})),
      excluded as (insert into ${excluded} select record from existing)
      ${this.#rejectExisting('existing')}`
  }

  /** Changes the rows that exist, in blocks $3 to $4 of the staging table, after their old values are in the log. The rows stay locked until COMMIT. */
  update(): string {
    const { table } = this.#entity
    const differs =
      this.#others.length === 0
        ? 'false'
        : `(${this.#list('t', this.#others)}) is distinct from (${this.#list('c', this.#others)})`
    const assignments = [
      ...this.#others.map((column) => `${column} = c.${column}`),
      'import_job = $1',
      'changed_at = now()',
    ].join(', ')
    return `
      with candidate as materialized (${this.#candidates(RANGE)}),
      existing as materialized (
        select t.${this.#key} as key, to_jsonb(t) as row_before, ${differs} as differs
        from candidate c join ${table} t on t.tenant_id = $2 and t.${this.#key} = c.${this.#key}
        for update of t),
      logged as (
        insert into data_migration_logs (job_id, tenant_id, row_key, action, row_before)
        select $1, $2, key, 'update', row_before from existing where differs),
      changed as (
        update ${table} t set ${assignments} from candidate c, existing e
        where t.tenant_id = $2 and t.${this.#key} = c.${this.#key} and e.key = c.${this.#key} and e.differs)
      select count(*) filter (where differs) as updated, count(*) filter (where not differs) as unchanged, (select count(*) from candidate) as candidates
      from existing`
  }

  /** Adds the rows that do not exist, in blocks $3 to $4 of the staging table; rejects the others if `rejects`. */
  insert({ rejects }: { rejects: boolean }): string {
    const { table } = this.#entity
    const losers = `losers as (select c.record, c.line, c.${this.#key} as key from candidate c where not exists (select from inserted i where i.key = c.${this.#key})),
      rejected as (${this.#rejectExisting('losers')} returning record)`
    return `
      with candidate as materialized (${this.#candidates(RANGE)}),
      inserted as (
        insert into ${table} (tenant_id, ${this.#columns.join(', ')}, import_job)
        select $2, ${this.#list('c', this.#columns)}, $1 from candidate c
        on conflict do nothing returning ${this.#key} as key)
      ${rejects ? `, ${losers}` : ''}
      select count(*) as created, ${rejects ? '(select count(*) from rejected)' : '0::bigint'} as rejected from inserted`
  }

  /** Deletes the rows whose key is not in the file. */
  deleteOthers(): string {
    const { table } = this.#entity
    return `
      with candidate as (${this.#candidates('true')}),
      gone as (
        delete from ${table} t where t.tenant_id = $2 and not exists (select from candidate c where c.${this.#key} = t.${this.#key})
        returning t.${this.#key} as key, to_jsonb(t) as row_before)
      insert into data_migration_logs (job_id, tenant_id, row_key, action, row_before)
      select $1, $2, key, 'delete', row_before from gone`
  }

  #candidates(condition: string): string {
    const { name, excluded } = this.#staging
    const { columns } = this.#entity
    const casts = this.#staging.columns.map(
      (column) => `s.${quote(column)}::${SQL_TYPES[columns[column]?.type ?? 'text']} as ${quote(column)}`,
    )
    return `select s.record, s.line, ${casts.join(', ')} from ${name} s
      where ${condition} and not exists (select from ${excluded} e where e.record = s.record)`
  }

  #list(alias: string, columns: readonly string[]): string {
    return columns.map((column) => `${alias}.${column}`).join(', ')
  }

  #rejectExisting(from: string): string {
    const { key: column, name } = this.#entity
    return this.#reject(from, {
      code: 'already_exists',
      column,
      reason: `there is a row of ${name} with this key`,
      value: 'key',
    })
  }

  #reject(
    from: string,
    { code, column, reason, value }: { code: string; column: string; reason: string; value: string },
  ): string {
    return `insert into import_rejects (job_id, tenant_id, record, fault, line, code, column_name, reason, value)
      select $1, $2, record, 0, line, '${code}', '${column}', '${reason}', left(${value}, 200) from ${from}`
  }
}

/** The bounds of a part of the staging table; PostgreSQL reads only its blocks. */
const RANGE = 's.ctid >= $3::tid and s.ctid < $4::tid'

/** The statements that take the changes of job $1 of tenant $2 back. All run in one transaction. */
export function undoStatements(entity: Entity): {
  readonly restoreDeleted: string
  readonly restoreUpdated: string
  readonly deleteCreated: string
} {
  const { table } = entity
  const key = quote(entity.key)
  const all = [...Object.keys(entity.columns), 'import_job', 'changed_at'].map(quote)
  const others = all.filter((column) => column !== key)
  return {
    restoreDeleted: `
      insert into ${table} (tenant_id, ${all.join(', ')})
      select l.tenant_id, ${all.map((column) => `r.${column}`).join(', ')}
      from data_migration_logs l, jsonb_populate_record(null::${table}, l.row_before) r
      where l.job_id = $1 and l.tenant_id = $2 and l.action = 'delete'
      on conflict do nothing`,
    restoreUpdated: `
      update ${table} t set ${others.map((column) => `${column} = r.${column}`).join(', ')}
      from data_migration_logs l, jsonb_populate_record(null::${table}, l.row_before) r
      where l.job_id = $1 and l.tenant_id = $2 and l.action = 'update'
        and t.tenant_id = $2 and t.${key} = l.row_key and t.import_job = $1`,
    // Rows that the job changed have got their old import_job back by now.
    deleteCreated: `delete from ${table} where import_job = $1 and tenant_id = $2`,
  }
}
