-- Take a place among the sessions that a tenant may have, or keep it. Places of edges that died end by themselves.
-- KEYS: the tenant's places
-- ARGV: session id, most places, seconds for which the place is kept
-- Returns 1, or 0 when all are taken.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
