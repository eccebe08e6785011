-- In front of this stands PUBLISH, the command that announces: in a cluster SPUBLISH.

local function fence_or_error(state, fence)
  local current = redis.call('HGET', state, 'fence')
  if not current then return redis.error_reply('NOSESSION the session is gone') end
  if current ~= fence then return redis.error_reply('SUPERSEDED fence ' .. fence .. ' is not ' .. current) end
  return nil
end

-- Number one message, log it if it is to be kept, announce it. The number stands in front of the payload on the channel and is the id in the log.
local function publish(state, events, live, keep, payload)
  local seq = redis.call('HINCRBY', state, 'seq', 1)
  if keep then redis.call('XADD', events, seq .. '-0', 'e', payload) end
  redis.call(PUBLISH, live, seq .. ':' .. payload)
  return seq
end

