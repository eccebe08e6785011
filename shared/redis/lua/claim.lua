-- Take a delivered session: check that the entry is pending for this consumer, raise the fence.
-- KEYS: queue, state
-- ARGV: group, consumer, entry id
-- Returns the state as a flat list with the new fence; empty when the entry is another's by now, or the session is gone (the entry is removed).
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
if #pending == 0 or pending[1][2] ~= ARGV[2] then return {} end
if redis.call('HGET', KEYS[2], 'status') ~= 'open' then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
  redis.call('XDEL', KEYS[1], ARGV[3])
  return {}
end
redis.call('HINCRBY', KEYS[2], 'fence', 1)
redis.call('HSET', KEYS[2], 'owner', ARGV[2], 'attempts', pending[1][4])
return redis.call('HGETALL', KEYS[2])
