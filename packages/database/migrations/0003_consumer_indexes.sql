-- The order in which a new owner of a partition reads its deduplication window and its verdicts: one small row a frame, so the index is cheap.
create index event_journal_order on event_journal (partition, first_ordinal);

-- A replayed record finds its dead letter by its ids, for a stream position it has none.
create index dead_letters_replaying on dead_letters (tenant_id, message_id) where state = 'replaying';
