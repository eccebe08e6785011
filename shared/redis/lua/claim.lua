-- Take a delivered session: check that the entry is pending for this consumer, count an owner that was lost with it, raise the fence.
-- KEYS: queue, state, events, audio, client
-- ARGV: group, consumer, entry id, failures that set a session aside, ms of an ownership after which its end is not the session's fault, live channel, TTL s, packed error, '1' when the worker has a suspect already, ms that lost owners have to say that they live
-- Returns the state as a flat list with the new fence; {} when the entry is another's by now, or the session is gone (the entry is removed); {'aside'} when the session was set aside;
-- {'later'} when it is a suspect, one failure before that, and must wait: an owner that dies must leave no doubt of whom it died, so suspects are taken one at a time;
-- or when the last owner was lost a moment ago: it may live, as may those before it, and take the blame off the session.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
if #pending == 0 or pending[1][2] ~= ARGV[2] then return {} end
local function remove()
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
  redis.call('XDEL', KEYS[1], ARGV[3])
end
if redis.call('HGET', KEYS[2], 'status') ~= 'open' then
  remove()
  return {}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HGET', KEYS[2], 'held')
if held then
  if now - held > tonumber(ARGV[5]) then redis.call('HSET', KEYS[2], 'failures', 0) end
  redis.call('HINCRBY', KEYS[2], 'failures', 1)
  redis.call('HDEL', KEYS[2], 'held')
  redis.call('HSET', KEYS[2], 'lost', now)
end
redis.call('HINCRBY', KEYS[2], 'fence', 1)
local failures = tonumber(redis.call('HGET', KEYS[2], 'failures') or 0)
if failures == tonumber(ARGV[4]) - 1 and ARGV[9] == '1' then return { 'later' } end
if failures >= tonumber(ARGV[4]) then
  local lost = redis.call('HGET', KEYS[2], 'lost')
  if lost and now - lost < tonumber(ARGV[10]) then return { 'later' } end
  publish(KEYS[2], KEYS[3], ARGV[6], true, ARGV[8])
  redis.call('HSET', KEYS[2], 'status', 'closed')
  redis.call('HDEL', KEYS[2], 'checkpoint', 'held')
  redis.call('DEL', KEYS[4], KEYS[5])
  local ttl = kept_s(KEYS[2], ARGV[7])
  redis.call('EXPIRE', KEYS[2], ttl)
  redis.call('EXPIRE', KEYS[3], ttl)
  remove()
  return { 'aside' }
end
redis.call('HSET', KEYS[2], 'owner', ARGV[2], 'held', now)
return redis.call('HGETALL', KEYS[2])
