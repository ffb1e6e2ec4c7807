-- The hashes of a frame are of (tenant, user, message id). Those of rows from before, and of a consumer of the version before that still runs, are of
-- (tenant, message id): hence the default.
alter table event_journal add column hashes_have_users boolean not null default false;
