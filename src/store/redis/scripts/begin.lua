#!lua flags=allow-oom
-- Says what is known of a board, which is made if there is none.
--
-- KEYS: meta, log, users, announcements, revoked
-- ARGV: schema, epoch and rule of a new board
-- Returns the time in milliseconds, schema, epoch, rule, seq, ranked_through, and which
-- migration writes it, if one does.
local meta = KEYS[1]
if redis.call('EXISTS', meta) == 0 then
    redis.call('UNLINK', unpack(KEYS, 2))
    redis.call('HSET', meta, 'schema', ARGV[1], 'epoch', ARGV[2], 'deciding', ARGV[3],
        'seq', 0, 'ranked_through', 0)
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return { string.format('%.0f', now), unpack(redis.call('HMGET', meta, 'schema', 'epoch', 'deciding',
    'seq', 'ranked_through', 'migrating')) }
