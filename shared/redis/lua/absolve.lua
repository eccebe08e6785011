-- Say, as an owner that has lived with the session or lost it and lives, that it breaks nobody.
-- KEYS: state
-- ARGV: none
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'failures', 0) end
