-- Settle a file window: keep its result, wake the job, remove the entry. A second result for the same window changes nothing.
-- KEYS: windows, results, news, cancel
-- ARGV: group, entry id, window number, packed result ('' when the job was cancelled), TTL s
-- What a job that was cancelled had on its way is not kept.
if ARGV[4] ~= '' and redis.call('EXISTS', KEYS[4]) == 0 and redis.call('HSETNX', KEYS[2], ARGV[3], ARGV[4]) == 1 then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1024, '*', 'w', ARGV[3])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  redis.call('EXPIRE', KEYS[3], ARGV[5])
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
