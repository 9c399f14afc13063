-- Lets others open a board that a migration has written.
--
-- KEYS: meta, log, users, announcements, revoked
-- ARGV: the name of the migration
local meta = KEYS[1]
local found = redis.call('HMGET', meta, 'migrating', 'seq')
if found[1] ~= ARGV[1] then
    return redis.error_reply('CLAIM another migration has begun')
end
redis.call('HSET', meta, 'counted', count(KEYS, tonumber(found[2])), 'audited', found[2])
redis.call('HDEL', meta, 'migrating')
