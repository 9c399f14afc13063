-- Lets others open a board that a migration has written.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: the name of the migration
local meta = KEYS[1]
local found = redis.call('HMGET', meta, 'claimed', 'seq')
if found[1] ~= ARGV[1] then
    return redis.error_reply('CLAIM another migration has begun')
end
local seq = tonumber(found[2])
redis.call('HSET', meta, 'counted', count(KEYS, seq), 'indexed', count_ids(KEYS, seq, 1),
    'audited', found[2])
local prefix = string.sub(meta, 1, -5)
for _, board in ipairs(redis.call('HKEYS', prefix .. 'rules')) do
    redis.call('HSET', prefix .. 'sizes', board, sizes_of(prefix, board))
end
redis.call('HSET', meta, 'kept', count_kept(meta, seq))
redis.call('HDEL', meta, 'claimed')
