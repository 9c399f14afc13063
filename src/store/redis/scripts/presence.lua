-- Notes how many are connected to a node, and sums what nodes have reported lately.
--
-- KEYS: nodes
-- ARGV: the node, its sockets, its users, milliseconds after which a node is forgotten
-- Returns how many nodes, sockets and users there are.
local nodes = KEYS[1]
local node, sockets, users, lasts = unpack(ARGV)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', nodes, node, string.format('%.0f', now) .. ' ' .. sockets .. ' ' .. users)
local sum = { 0, 0, 0 }
local reported = redis.call('HGETALL', nodes)
for field = 1, #reported, 2 do
    local at, its_sockets, its_users = string.match(reported[field + 1], '^(%d+) (%d+) (%d+)$')
    if at and now - tonumber(at) < tonumber(lasts) then
        sum = { sum[1] + 1, sum[2] + tonumber(its_sockets), sum[3] + tonumber(its_users) }
    elseif at then
        redis.call('HDEL', nodes, reported[field])
    end
end
return sum
