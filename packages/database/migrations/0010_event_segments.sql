-- A busy day is split: its table becomes the parent of segments, by list of this number, so that the user index that rows go into stays small
-- enough for the processor's caches however many rows the day has (docs/decisions/0002). Each segment has its own default; COPY never names it.
alter table events add column segment smallint not null default 0;
