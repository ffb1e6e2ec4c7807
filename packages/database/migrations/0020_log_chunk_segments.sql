-- Chunks of log lines in the form of docs/formats/column-chunk.md: the head, and each segment in a column of its own, so that a search reads only those that it
-- needs. Chunks from before have `data` instead and stay readable.
--
-- minutes: how many lines of each level each minute has. filter: the token filter of a chunk; null for chunks that have none. When 240 chunks of a tenant and day
-- have filters of equal length, they form a group: group_filter of one of them holds all filters transposed, filter_group of each is the chunk_id of that one,
-- filter_slot its number in the group, and its own filter is null.
alter table log_chunks
  alter column data drop not null,
  add column head bytea,
  add column minutes bytea,
  add column filter bytea,
  add column filter_group bigint,
  add column filter_slot smallint,
  add column group_filter bytea,
  add column seg_time bytea,
  add column seg_meta bytea,
  add column seg_place bytea,
  add column seg_trace bytea,
  add column seg_span bytea,
  add column seg_message bytea,
  add column seg_message_variables bytea,
  add column seg_attributes bytea,
  add constraint log_chunks_form check ((data is null) <> (head is null));
-- All of it is compressed already, or read in parts.
alter table log_chunks
  alter column head set storage external,
  alter column minutes set storage external,
  alter column filter set storage external,
  alter column group_filter set storage external,
  alter column seg_time set storage external,
  alter column seg_meta set storage external,
  alter column seg_place set storage external,
  alter column seg_trace set storage external,
  alter column seg_span set storage external,
  alter column seg_message set storage external,
  alter column seg_message_variables set storage external,
  alter column seg_attributes set storage external;
create index log_chunks_id on log_chunks (chunk_id);
