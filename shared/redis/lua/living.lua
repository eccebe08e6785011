-- The signs of life and the clock that they were written by.
-- KEYS: workers
-- ARGV: none
-- Returns {seconds, {worker, sign, …}}.
return { redis.call('TIME')[1], redis.call('HGETALL', KEYS[1]) }
