/** What this needs of @millrace/database. */
export interface SettingsDatabase {
  transaction<T>(work: (tx: SettingsQueryable) => Promise<T>): Promise<T>
  query(text: string, values: readonly unknown[]): Promise<unknown>
}

export interface SettingsQueryable {
  query<Row extends object>(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly Row[] }>
}
