-- Typed rows no longer depend on the order in which events arrive, and hold no empty names.

-- The times of the events that the values come from (stream-consumer, src/typed/session-facts.ts). Rows from before have null: their values count as
-- the earliest. user_is_anonymous: whether user_id is an anonymous id; null when that is not known.
alter table user_sessions
  add column user_is_anonymous boolean,
  add column user_at timestamptz,
  add column client_at timestamptz,
  add column ip_at timestamptz;

-- A session whose last event is later than its end goes on. The consumer ends it again, as idle, within a minute if it is.
update user_sessions set ended_at = null, end_reason = null where ended_at <> last_seen_at;

-- An unknown name is null; an activity, whose names are not null, has 'unknown'.
update user_sessions set device_type = nullif(device_type, ''), browser = nullif(browser, ''), os = nullif(os, ''), ip = nullif(ip, '')
where '' in (device_type, browser, os, ip);
update login_events set device_type = nullif(device_type, ''), browser = nullif(browser, ''), browser_version = nullif(browser_version, ''),
  os = nullif(os, ''), os_version = nullif(os_version, ''), ip = nullif(ip, ''), failure_reason = nullif(failure_reason, '')
where '' in (device_type, browser, browser_version, os, os_version, ip, failure_reason);
update activity_logs set action = coalesce(nullif(action, ''), 'unknown'), entity_type = coalesce(nullif(entity_type, ''), 'unknown'),
  entity_id = coalesce(nullif(entity_id, ''), 'unknown'), user_id = coalesce(nullif(user_id, ''), 'unknown')
where '' in (action, entity_type, entity_id, user_id);
