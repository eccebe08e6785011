-- What workers have told.
-- KEYS: reports, history
-- ARGV: none
-- Returns {{seconds, microseconds}, {worker, report, …}, {stretch modulo their number, 'stretch:counts', …}}.
return { redis.call('TIME'), redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
