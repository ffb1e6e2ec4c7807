-- Imports. import_job in the table of an entity is the job that wrote the current values of a row. Any other change of the row sets it to null, so that an undo finds the rows that
-- are as the import left them.
create table data_import_jobs (
  job_id bigint generated always as identity primary key,
  tenant_id integer not null,
  settings jsonb not null,
  state text not null default 'queued',
  request text,
  checkpoint jsonb not null default '{"offset":0,"lines":0,"records":0}',
  is_staged boolean not null default false,
  staged_rows bigint not null default 0,
  loaded_blocks bigint not null default 0,
  read_records bigint not null default 0,
  rejected_records bigint not null default 0,
  created_rows bigint not null default 0,
  updated_rows bigint not null default 0,
  unchanged_rows bigint not null default 0,
  deleted_rows bigint not null default 0,
  kept_rows bigint not null default 0,
  error text,
  epoch bigint not null default 0,
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
create index data_import_jobs_open on data_import_jobs (created_at, job_id) where state in ('queued', 'validating', 'loading', 'undoing');
create index data_import_jobs_tenant on data_import_jobs (tenant_id, job_id desc);

-- One row for each fault of a record; the record itself is in the source file.
create table import_rejects (
  job_id bigint not null references data_import_jobs on delete cascade,
  tenant_id integer not null,
  record bigint not null,
  fault smallint not null,
  line bigint not null,
  code text not null,
  column_name text,
  reason text not null,
  value text,
  primary key (job_id, record, fault)
);

-- What an undo needs: the row before the import changed or deleted it. Rows that the import created have no entry.
create table data_migration_logs (
  job_id bigint not null references data_import_jobs on delete cascade,
  tenant_id integer not null,
  row_key text collate "C" not null,
  action text not null,
  row_before jsonb not null,
  primary key (job_id, row_key)
);

create table users (
  tenant_id integer not null,
  user_id text collate "C" not null,
  email text,
  name text,
  role text,
  company text,
  country text,
  is_active boolean,
  score numeric,
  signed_up_at timestamptz,
  import_job bigint,
  changed_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
create table povs (
  tenant_id integer not null,
  pov_id text collate "C" not null,
  name text not null,
  customer text not null,
  owner_id text collate "C",
  status text not null,
  value numeric,
  starts_on date,
  ends_on date,
  import_job bigint,
  changed_at timestamptz not null default now(),
  primary key (tenant_id, pov_id)
);
create table trrs (
  tenant_id integer not null,
  trr_id text collate "C" not null,
  pov_id text collate "C" not null,
  title text not null,
  risk text not null,
  status text not null,
  owner_id text collate "C",
  score bigint,
  due_on date,
  import_job bigint,
  changed_at timestamptz not null default now(),
  primary key (tenant_id, trr_id)
);
-- An undo of created rows.
create index users_import_job on users (import_job) where import_job is not null;
create index povs_import_job on povs (import_job) where import_job is not null;
create index trrs_import_job on trrs (import_job) where import_job is not null;

create function millrace_forget_import() returns trigger language plpgsql as $$
begin
  new.import_job := null;
  new.changed_at := now();
  return new;
end
$$;
create trigger forget_import before update on users for each row
  when (new.import_job is not distinct from old.import_job) execute function millrace_forget_import();
create trigger forget_import before update on povs for each row
  when (new.import_job is not distinct from old.import_job) execute function millrace_forget_import();
create trigger forget_import before update on trrs for each row
  when (new.import_job is not distinct from old.import_job) execute function millrace_forget_import();

alter table data_import_jobs enable row level security;
create policy tenant on data_import_jobs using (tenant_id = (select millrace_tenant()));
alter table import_rejects enable row level security;
create policy tenant on import_rejects using (tenant_id = (select millrace_tenant()));
alter table data_migration_logs enable row level security;
create policy tenant on data_migration_logs using (tenant_id = (select millrace_tenant()));
alter table users enable row level security;
create policy tenant on users using (tenant_id = (select millrace_tenant()));
alter table povs enable row level security;
create policy tenant on povs using (tenant_id = (select millrace_tenant()));
alter table trrs enable row level security;
create policy tenant on trrs using (tenant_id = (select millrace_tenant()));
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on data_import_jobs, import_rejects, data_migration_logs, users, povs, trrs to millrace_reader;
  end if;
end
$$;
