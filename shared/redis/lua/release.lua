-- Give a lease back unfinished: the session is queued anew, which wakes all workers that wait.
-- KEYS: queue, state
-- ARGV: fence, group, consumer, entry id, session id, '1' when the owner failed on the session
local refused = fence_or_error(KEYS[2], ARGV[1])
if refused then return refused end
local pending = redis.call('XPENDING', KEYS[1], ARGV[2], ARGV[4], ARGV[4], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
redis.call('HDEL', KEYS[2], 'held', 'lost')
if ARGV[6] == '1' then redis.call('HINCRBY', KEYS[2], 'failures', 1) end
redis.call('XACK', KEYS[1], ARGV[2], ARGV[4])
redis.call('XDEL', KEYS[1], ARGV[4])
redis.call('XADD', KEYS[1], '*', 's', ARGV[5])
return 1
