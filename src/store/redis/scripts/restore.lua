-- Runs commands that write a part of a board, if it is still claimed.
--
-- KEYS: meta
-- ARGV: the name of the migration, then commands: how many words, and the words
if redis.call('HGET', KEYS[1], 'claimed') ~= ARGV[1] then
    return redis.error_reply('CLAIM another migration has begun')
end
local at = 2
while at <= #ARGV do
    local last = at + tonumber(ARGV[at])
    redis.call(unpack(ARGV, at + 1, last))
    at = last + 1
end
