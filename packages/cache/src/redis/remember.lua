-- Adds reads to the counts of popular keys; older reads count less each time. KEYS: popular keys. ARGV: most keys to remember, ms to remember them, then reads and key of each.
redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[1], 'WEIGHTS', '0.9')
for i = 3, #ARGV, 2 do redis.call('ZINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
