-- Spend of what a tenant may have in a day or a month, or give back what was not used. A period that is over counts no more; an edge whose clock is behind counts in the newer one.
-- KEYS: the tenant's usage
-- ARGV: day, month (as dates, which sort), TTL s, '1' when a part is of use (all amounts are then the same), then for each counter its name (day:… or month:…), amount and bound (0: none)
-- Returns {counter that is at its bound or '', amount that was granted of the first}.
local kept = redis.call('HMGET', KEYS[1], 'day', 'month')
for i, period in ipairs({ 'day', 'month' }) do
  if not kept[i] or kept[i] < ARGV[i] then
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if string.sub(field, 1, #period + 1) == period .. ':' then redis.call('HDEL', KEYS[1], field) end
    end
    redis.call('HSET', KEYS[1], period, ARGV[i])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
local granted, full = tonumber(ARGV[6]), ''
for i = 5, #ARGV, 3 do
  local amount, bound = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local used = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0)
  if amount >= 0 and bound > 0 and used + amount > bound then
    full = ARGV[i]
    if ARGV[4] ~= '1' then return { full, 0 } end
    granted = math.min(granted, math.max(0, bound - used))
  end
end
for i = 5, #ARGV, 3 do
  local amount = ARGV[4] == '1' and granted or tonumber(ARGV[i + 1])
  if redis.call('HINCRBY', KEYS[1], ARGV[i], string.format('%.0f', amount)) < 0 then redis.call('HSET', KEYS[1], ARGV[i], 0) end
end
return { full, granted }
