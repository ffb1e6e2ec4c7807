-- Processes that cache the settings of tenants (the gateways, for rate limits) ask several times a second what has changed. They ask for rows whose
-- changed_xid is at least a bound and take pg_snapshot_xmin of the same snapshot as the next bound, as for window_versions. A trigger sets both
-- columns, so that a change by hand in psql counts too. settings_version orders the states of one tenant: a transaction with a lower id can commit later.
alter table tenants
  add column settings_version bigint not null default 1,
  add column changed_xid xid8 not null default pg_current_xact_id();
create index tenants_changed on tenants (changed_xid);

create function millrace_tenant_changed() returns trigger language plpgsql as $$
begin
  new.settings_version := old.settings_version + 1;
  new.changed_xid := pg_current_xact_id();
  return new;
end
$$;
create trigger tenant_changed before update on tenants for each row execute function millrace_tenant_changed();
