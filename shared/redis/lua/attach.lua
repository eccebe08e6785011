-- Make a new connection the one that owns the session: what the one before it appends from now on is refused.
-- KEYS: state, client
-- ARGV: live channel, client TTL ms
-- Returns the number of the connection, then status, received, finalized, ended and seq; NOSESSION when the session is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOSESSION the session is gone') end
local connection = redis.call('HINCRBY', KEYS[1], 'connection', 1)
local state = redis.call('HMGET', KEYS[1], 'status', 'received', 'finalized', 'ended', 'seq')
if state[1] == 'open' then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
redis.call(PUBLISH, ARGV[1], 'connection:' .. connection)
return {connection, state[1], state[2], state[3] or '0', state[4] or '0', state[5]}
