// What other programs write under our names in Redis, and keys that are to expire: nobody
// writes any more, all say why, and nothing of it is deleted.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { adopt, boardForTest, KEY } from './support/lost.mjs';
import { postActions } from './support/podium.mjs';

describe('what another program writes under our names', () => {
  for (const name of ['meta', 'log', 'users', 'announcements', 'revoked']) {
    it(`stops all nodes: a text as ${name}`, async (t) => {
      const board = await boardForTest(t);
      await board.survives(
        () => board.redis.command(['SET', KEY(name), 'of another program']),
        new RegExp(`${name} is a string in Redis`),
      );
      // It is not ours to delete, and nothing can be taken over.
      const plan = await board.command('adopt', '--yes');
      assert.equal(plan.code, 1);
      assert.equal(await board.redis.command(['GET', KEY(name)]), 'of another program');
    });

    it(`stops all nodes: an expiry of ${name}`, async (t) => {
      const board = await boardForTest(t);
      await board.survives(
        () => board.redis.command(['EXPIRE', KEY(name), '3600']),
        new RegExp(`${name} is to expire`),
      );
      await adopt(board);
      assert.equal(await board.redis.command(['TTL', KEY(name)]), '-1');
    });
  }

  for (const [what, words, said] of [
    ['a record among the users', ['HSET', KEY('users'), 'them', 'theirs'], /users has 3 entries/],
    ['an entry in the log', ['XADD', KEY('log'), '*', 'a', 'b'], /log has entries in Redis/],
    ['a number in meta', ['HSET', KEY('meta'), 'seq', '3'], /meta says|log has entries|log ends/],
    ['no epoch in meta', ['HDEL', KEY('meta'), 'epoch'], /no field epoch/],
  ]) {
    it(`stops all nodes: ${what}`, async (t) => {
      const board = await boardForTest(t);
      await board.survives(() => board.redis.command(words), said);
    });
  }

  it('stops all nodes: a list as the id of an action', async (t) => {
    const board = await boardForTest(t);
    const actionId = randomUUID();
    await board.redis.command(['RPUSH', KEY(`action:${actionId}`), 'theirs']);
    const sent = { actionId, userId: board.user, actionType: 'test', scoreIncrease: 1 };
    await board.survives(() => postActions(board.nodes[0], sent), /another type/);
    assert.equal(await board.redis.command(['LRANGE', KEY(`action:${actionId}`), '0', '-1']), 'theirs');
  });
});
