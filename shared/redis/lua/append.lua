-- Append audio where the session's audio ends, as the connection that owns the session. The id is the sample where the audio ends.
-- KEYS: audio, state
-- ARGV: connection, first sample, end sample, audio, TTL s
-- Returns 1 when appended, 0 when it was there already; NOSESSION when the session is closed or gone, TAKENOVER when it is another connection's,
-- GAP when audio before it is missing: the server lost what it had said it has.
local state = redis.call('HMGET', KEYS[2], 'status', 'connection', 'received')
if state[1] ~= 'open' then return redis.error_reply('NOSESSION the session is closed') end
if state[2] ~= ARGV[1] then return redis.error_reply('TAKENOVER connection ' .. state[2] .. ' has the session') end
local received = tonumber(state[3])
if tonumber(ARGV[3]) <= received then return 0 end
if tonumber(ARGV[2]) ~= received then return redis.error_reply('GAP audio ends at ' .. received .. ', not at ' .. ARGV[2]) end
redis.call('XADD', KEYS[1], ARGV[3] .. '-0', 'd', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('HSET', KEYS[2], 'received', ARGV[3])
return 1
