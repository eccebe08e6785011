-- Leave nothing of a session behind: who follows it hears that it is over, its worker finds it gone.
-- KEYS: queue, state, events, audio, client
-- ARGV: group, live channel, packed error that ends an open session
-- Returns 1, or 0 when there was none.
local state = redis.call('HMGET', KEYS[2], 'status', 'entry')
if not state[1] then return 0 end
if state[1] == 'open' then
  publish(KEYS[2], KEYS[3], ARGV[2], false, ARGV[3])
  if state[2] then
    redis.call('XACK', KEYS[1], ARGV[1], state[2])
    redis.call('XDEL', KEYS[1], state[2])
  end
end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return 1
