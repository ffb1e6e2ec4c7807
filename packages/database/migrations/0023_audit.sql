-- Audit entries: append-only, a hash chain for each tenant. hash is the SHA-256 of the hash before it, the tenant id (4 bytes, big-endian), seq (8 bytes, big-endian) and the entry in UTF-8; before the
-- first entry the hash is 32 zero bytes. seq has no gaps. The entry is the JSON text that was hashed.
create table audit_chains (
  tenant_id integer primary key,
  seq bigint not null,
  hash bytea not null
);
create table audit_entries (
  tenant_id integer not null,
  seq bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  entry text not null,
  hash bytea not null,
  primary key (tenant_id, seq)
);

-- Appends in the transaction of the change that the entry describes, so that neither exists without the other. Writers of one tenant take turns until their transactions end.
create function millrace_audit(tenant integer, entry text) returns bigint
  language plpgsql volatile as $$
declare
  previous audit_chains;
  next_hash bytea;
begin
  insert into audit_chains (tenant_id, seq, hash) values (tenant, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
  select * into strict previous from audit_chains where tenant_id = tenant for update;
  next_hash := sha256(previous.hash || int4send(tenant) || int8send(previous.seq + 1) || convert_to(entry, 'UTF8'));
  insert into audit_entries (tenant_id, seq, entry, hash) values (tenant, previous.seq + 1, entry, next_hash);
  update audit_chains set seq = previous.seq + 1, hash = next_hash where tenant_id = tenant;
  return previous.seq + 1;
end
$$;

-- Keeps mistakes from changing entries. Who owns the tables can remove the triggers; the chain shows what was changed.
create function millrace_audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'audit entries cannot be changed or deleted' using errcode = 'insufficient_privilege';
end
$$;
create trigger append_only before update or delete on audit_entries for each row execute function millrace_audit_is_append_only();
create trigger append_only_all before truncate on audit_entries for each statement execute function millrace_audit_is_append_only();

alter table audit_chains enable row level security;
create policy tenant on audit_chains using (tenant_id = (select millrace_tenant()));
alter table audit_entries enable row level security;
create policy tenant on audit_entries using (tenant_id = (select millrace_tenant()));
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on audit_chains, audit_entries to millrace_reader;
  end if;
end
$$;
