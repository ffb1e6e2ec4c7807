-- How far the stored events of each stream partition have been written to a Kafka topic (KAFKA_MIRROR_TOPIC). next_ordinal is compared with next_ordinal
-- of stream_partitions: events with positions between the two wait. It moves only after the broker has stored the events before it on all in-sync replicas.
-- mirrored_until is the time of receipt of the last event that was written. missed counts events that retention deleted before they were written.
create table mirror_positions (
  topic text collate "C" not null,
  group_name text collate "C" not null,
  stream text collate "C" not null,
  partition smallint not null,
  next_ordinal bigint not null,
  mirrored_until timestamptz not null default now(),
  missed bigint not null default 0,
  blocked_reason text,
  blocked_since timestamptz,
  updated_at timestamptz not null default now(),
  primary key (topic, group_name, stream, partition)
) with (fillfactor = 50);
