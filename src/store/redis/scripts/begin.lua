-- Returns what is known of a board, if it is whole. A board is made only where none of its
-- keys is, and only if that is asked for.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: schema, epoch and rule of a new board, or nothing
-- Returns the time in milliseconds, and then nothing if there is no board, or schema,
-- epoch, rule, seq, ranked_through, when its epoch was begun by a command, and which
-- migration writes it, if one does.
local meta = KEYS[1]
local wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if not state and ARGV[1] then
    redis.call('HSET', meta, 'schema', ARGV[1], 'epoch', ARGV[2], 'deciding', ARGV[3],
        'seq', 0, 'ranked_through', 0)
    wrong, state = damage(KEYS)
end
if not state then return { text(clock()) } end
return { text(clock()), state.schema, state.epoch or false, state.deciding or false,
    state.seq or false, state.ranked_through or false, state.decided or false,
    state.migrating or false }
