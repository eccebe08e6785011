-- Give a lease back unfinished, so that any worker takes the session at once.
-- KEYS: queue, state
-- ARGV: fence, group, consumer, entry id, idle ms that makes it due
local refused = fence_or_error(KEYS[2], ARGV[1])
if refused then return refused end
local pending = redis.call('XPENDING', KEYS[1], ARGV[2], ARGV[4], ARGV[4], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[2], ARGV[3], 0, ARGV[4], 'IDLE', ARGV[5], 'JUSTID')
return 1
