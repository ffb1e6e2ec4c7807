-- The settings of each running process that other services depend on. Every process writes its row at its start and every 10 seconds, compares it with the
-- others, and deletes it when it stops. Retention also reads the rows of processes that were killed within the last day.
create table service_settings (
  service text collate "C" not null,
  instance text collate "C" not null,
  settings jsonb not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  primary key (service, instance)
);
