-- Begins a new epoch of a board, with what is left of it, as an operator has decided.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: what epoch and seq of the board were when the operator was asked ('' for none),
--       schema, the new epoch, the rule, the last entry, and as far as ranks are known
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
-- Actions whose ids are gone count again, as the operator was warned.
redis.call('UNLINK', KEYS[6], KEYS[7])
-- A clock that was set back must not make this older than the decision before.
local decided = math.max(clock(), tonumber(found[4] or 0) + 1)
redis.call('HSET', meta, 'schema', schema, 'epoch', new, 'deciding', deciding, 'seq', last,
    'ranked_through', ranked, 'decided', text(decided), 'audited', last,
    'counted', count(KEYS, tonumber(last)), 'indexed', count_ids(KEYS, tonumber(last), 1))
redis.call('HDEL', meta, 'halted')
return 1
