-- Say that the client is still connected.
-- KEYS: state, client
-- ARGV: connection, client TTL ms
-- Returns 1 while the session is open, 0 when it is closed; NOSESSION when it is gone, TAKENOVER when it is another connection's.
local state = redis.call('HMGET', KEYS[1], 'status', 'connection')
if not state[1] then return redis.error_reply('NOSESSION the session is gone') end
if state[2] ~= ARGV[1] then return redis.error_reply('TAKENOVER connection ' .. state[2] .. ' has the session') end
if state[1] ~= 'open' then return 0 end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
return 1
