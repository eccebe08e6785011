-- Ask for nothing more, and forget consumers that are gone: this one, and those without work that have not been heard of for long.
-- KEYS: stream, takers
-- ARGV: group, consumer, ms without a sign after which a consumer is gone
redis.call('HDEL', KEYS[2], ARGV[2])
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local row = {}
  for i = 1, #info, 2 do row[info[i]] = info[i + 1] end
  if row.pending == 0 and (row.name == ARGV[2] or row.idle > tonumber(ARGV[3])) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], row.name)
  end
end
