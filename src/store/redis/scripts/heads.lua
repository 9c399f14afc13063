-- All boards without those who stand on them, as of the entry up to which ranks are known.
--
-- KEYS: meta
-- Returns epoch, seq, ranked_through, when the epoch was begun by a command, and the boards.
local meta = KEYS[1]
local prefix = string.sub(meta, 1, -5)
local fields = redis.call('HMGET', meta, 'epoch', 'seq', 'ranked_through', 'decided')
local heads, found = redis.call('HGETALL', prefix .. 'boards'), {}
for at = 1, #heads, 2 do
    local by = redis.call('HGET', prefix .. 'rules', heads[at])
    local created, of = string.match(by or '', '^(%d+) .* (%S+)$')
    -- Not of one that is gone, or in whose place another one has been made since.
    if created and (of ~= '-' or tonumber(created) <= tonumber(fields[3])) then
        found[#found + 1] = heads[at]
        found[#found + 1] = heads[at + 1]
    end
end
return { fields[1], fields[2], fields[3], fields[4], found }
