-- Describes one stream without sending its entries.
-- KEYS[1] the stream
-- Returns {first id or '', last generated id or '', entries, entries ever added or -1 before Redis 7}
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'', '', 0, 0}
end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local facts = {}
for i = 1, #info, 2 do
  facts[info[i]] = info[i + 1]
end
local first = facts['first-entry']
local last = facts['last-generated-id']
return {first and first[1] or '', last == '0-0' and '' or last, facts['length'], facts['entries-added'] or -1}
