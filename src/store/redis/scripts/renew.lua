#!lua flags=allow-oom
-- Begins a new epoch of a board, once for all who find that the old one has ended.
--
-- KEYS: meta
-- ARGV: the epoch that has ended, the new one, and 1 if the ranks of the entries that
-- have none yet cannot be computed any more
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
    if ARGV[3] == '1' then
        redis.call('HSET', KEYS[1], 'ranked_through', redis.call('HGET', KEYS[1], 'seq'))
    end
end
