-- What is known of one user's past, as of one moment.
--
-- KEYS: meta, log, users, history of the user
-- ARGV: the user
-- Returns nothing if nobody is registered; else the user's record, the past as far as
-- ranks are known, and the user's entries after that.
local meta, log, users, history = unpack(KEYS)
local record = redis.call('HGET', users, ARGV[1])
if not record then return false end
local ranked = redis.call('HGET', meta, 'ranked_through')
local rest = {}
for _, entry in ipairs(redis.call('XRANGE', log, '(' .. ranked .. '-0', '+')) do
    local fields = entry[2]
    for field = 1, #fields, 2 do
        if fields[field] == 'user' and fields[field + 1] == ARGV[1] then
            rest[#rest + 1] = entry
        end
    end
end
return { record, redis.call('LRANGE', history, 0, -1), rest }
