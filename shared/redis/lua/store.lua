-- Count a file job that waits or runs, and the bytes of its upload, against what its tenant may have.
-- KEYS: the tenant's jobs
-- ARGV: job, bytes, most jobs, most bytes (0: no bound), TTL s
-- Returns '' when it is counted, or which bound it is at.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return '' end
local total = redis.call('HGET', KEYS[1], 'bytes')
local count = redis.call('HLEN', KEYS[1]) - (total and 1 or 0)
if tonumber(ARGV[3]) > 0 and count >= tonumber(ARGV[3]) then return 'jobs' end
if tonumber(ARGV[4]) > 0 and (total or 0) + ARGV[2] > tonumber(ARGV[4]) then return 'stored_bytes' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'bytes', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return ''
