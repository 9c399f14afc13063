#!lua
-- Claims a place for a board that a migration writes, and says what was there. Until
-- the board is whole nobody opens it.
--
-- KEYS: meta
-- ARGV: schema, a name for this migration, and 1 if a whole board may be thrown away
-- Returns the schema that was found, and the seq of the board if that is whole; 0 for
-- none.
local meta = KEYS[1]
local found = redis.call('HMGET', meta, 'schema', 'seq', 'migrating')
local schema = found[1] or '0'
local seq = not found[3] and found[2] or '0'
if tonumber(schema) <= tonumber(ARGV[1]) and (seq == '0' or ARGV[3] == '1') then
    redis.call('DEL', meta)
    redis.call('HSET', meta, 'schema', ARGV[1], 'migrating', ARGV[2])
end
return { schema, seq }
