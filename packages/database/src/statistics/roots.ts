/** For `with recursive`: each table and index with the root of its partition tree; itself when it is not a partition. */
export const ROOTS = `root as (
    select c.oid, c.oid as root from pg_class c where not c.relispartition
    union all
    select i.inhrelid, r.root from pg_inherits i join root r on r.oid = i.inhparent
  )`
