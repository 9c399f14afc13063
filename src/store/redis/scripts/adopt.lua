-- Begins a new epoch of a board, with what is left of it, as an operator has decided.
--
-- KEYS: meta, log, users, announcements, revoked
-- ARGV: what epoch and seq of the board were when the operator was asked ('' for none),
--       schema, the new epoch, the rule, the last entry, as far as ranks are known, and
--       users whose past may be missing
-- Returns 1, or 0 if the board is another one by now.
local meta = KEYS[1]
for number, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= KINDS[number] then
        return redis.error_reply('DAMAGED ' .. wrong_kind(KEYS))
    end
end
local epoch, seq, schema, new, deciding, last, ranked = unpack(ARGV)
local found = redis.call('HMGET', meta, 'epoch', 'seq', 'migrating', 'decided')
if (found[1] or '') ~= epoch or (found[2] or '') ~= seq or found[3] then return 0 end
for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end
local users, prefix = KEYS[3], string.sub(meta, 1, -5)
for at = 8, #ARGV do
    local record = redis.call('HGET', users, ARGV[at])
    local before, after = string.match(record or '', '^(%S+ %S+ )%S+( .*)$')
    -- Their past begins anew, as that of somebody who has registered.
    if before and redis.call('EXISTS', prefix .. 'history:' .. ARGV[at]) == 0 then
        redis.call('HSET', users, ARGV[at], before .. '-' .. after)
    end
end
-- A clock that was set back must not make this older than the decision before.
local decided = math.max(clock(), tonumber(found[4] or 0) + 1)
redis.call('HSET', meta, 'schema', schema, 'epoch', new, 'deciding', deciding, 'seq', last,
    'ranked_through', ranked, 'decided', text(decided), 'audited', last,
    'counted', count(KEYS, tonumber(last)))
redis.call('HDEL', meta, 'halted')
return 1
