-- Claims the keys of a board that a migration writes, and returns what was there. Until
-- the board is whole nobody opens it.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: schema, a name for this migration, and 1 if a whole board may be deleted
-- Returns the schema that was found, and the seq of the board if that is whole; 0 for
-- none.
local meta = KEYS[1]
local may_replace = ARGV[3] == '1'
local wrong, state = damage(KEYS)
-- What is no board of ours is not deleted, whatever was asked.
wrong = wrong and (wrong_kind(KEYS) or not may_replace and wrong)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
state = state or {}
local schema = state.schema or '0'
local seq = not state.claimed and state.seq or '0'
-- A server that was started there by mistake has written what `main` is.
if schema ~= '1' and seq == '1' then seq = '0' end
if tonumber(schema) <= tonumber(ARGV[1]) and (seq == '0' or may_replace) then
    local decided = math.max(clock(), tonumber(state.decided or 0) + 1)
    redis.call('DEL', meta)
    redis.call('HSET', meta, 'schema', ARGV[1], 'claimed', ARGV[2], 'migrating',
        'a later version', 'decided', text(decided))
end
return { schema, seq }
