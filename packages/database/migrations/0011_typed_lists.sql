-- Lists of activities and sessions, newest first (analytics-query, src/typed), and the retention of all typed rows (stream-consumer, src/maintain).

-- Activities of everybody, and of one entity. Entries stay below what a page of an index takes whatever clients send (texts have 512 characters at
-- most): so where an index has one such text, rows of the same instant are put into their order by the reader. Those of a user are found by
-- activity_logs_user. "nulls last" is there for the planner alone, as no time is null: a list of everybody asks for this order and one of a user or an
-- entity for the other, so that it never walks everybody's rows in search of one's, as it would for a tenant that it has no statistics of yet.
create index activity_logs_time on activity_logs (tenant_id, "timestamp" desc nulls last, message_id desc);
create index activity_logs_entity on activity_logs (tenant_id, entity_id collate "C", "timestamp" desc);

-- Each session is in two of these four. Sessions that go on and those that are over have an index each, so that the few that go on are
-- counted and listed without a look at the others, whatever the planner knows; a list of all merges both.
create index user_sessions_active_start on user_sessions (tenant_id, started_at desc nulls last, session_id desc) where ended_at is null;
create index user_sessions_ended_start on user_sessions (tenant_id, started_at desc nulls last, session_id desc) where ended_at is not null;
create index user_sessions_user on user_sessions (tenant_id, user_id, started_at desc);
-- As user_sessions_active, of those that retention deletes.
create index user_sessions_ended on user_sessions (last_seen_at) where ended_at is not null;
