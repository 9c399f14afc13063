// Whatever goes missing in Redis, is restored from an older copy or belongs to another
// program: nobody writes any more, all say why, the board stays readable, and nothing in
// Redis is changed until an operator has decided.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectProblem } from './support/expect.mjs';
import { eventually } from './support/fleet.mjs';
import { adopt, boardForTest, KEY, podium } from './support/lost.mjs';
import { action, leaderboard, postActions, putUser, request, startPodium } from './support/podium.mjs';
import { DURABLE, startRedis } from './support/redis.mjs';

const MISSING = /is missing in Redis/;

/** Deletes a key whose name has bytes of an id. */
const deleteLike = (board, pattern) =>
  board.redis.lua(`return #redis.call('KEYS', '${KEY(pattern)}') ..
    ':' .. redis.call('DEL', unpack(redis.call('KEYS', '${KEY(pattern)}')))`);

describe('a key of the board that is deleted', () => {
  for (const name of ['meta', 'log', 'users', 'announcements', 'revoked', 'ids:1']) {
    it(`stops all nodes, and nothing else is deleted: ${name}`, async (t) => {
      const board = await boardForTest(t);
      const [{ epoch, seq }] = await board.boards();
      await board.survives(() => board.redis.command(['DEL', KEY(name)]), MISSING);
      // A node that starts then does not take it for a new board.
      const late = await podium(board.redis.address(), ['serve']);
      assert.equal(late.code, 1);
      assert.match(late.stderr, MISSING);
      assert.match(late.stderr, /podium adopt/);
      const plan = await adopt(board);
      assert.match(plan, MISSING);
      const boards = await board.boards();
      for (const it of boards) {
        assert.notEqual(it.epoch, epoch);
        assert.ok(it.seq >= seq, `${it.seq}`);
        assert.equal(it.topScores.length, name === 'users' ? 0 : 2);
      }
      await putUser(board.nodes[1].url, board.user, 'Ada');
      const again = await postActions(board.nodes[1], action({ userId: board.user, scoreIncrease: 1 }));
      assert.equal(again.status, 200, JSON.stringify(again.body));
    });
  }

  for (const [name, pattern] of [
    ['of an action', 'action:*'],
    ['of a history', 'history:*'],
    ['of limits', 'limited:*'],
  ]) {
    it(`stops all nodes: ${name}`, async (t) => {
      const board = await boardForTest(t);
      await board.survives(async () => {
        const [found] = (await deleteLike(board, pattern)).split(':');
        assert.ok(Number(found) > 0);
      }, MISSING);
      await adopt(board);
      // It is the board that it was, and goes on for good.
      const answer = await postActions(board.nodes[0], action({ userId: board.user, scoreIncrease: 1 }));
      assert.equal(answer.status, 200);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await board.ready();
    });
  }

  it('counts no action again, however soon it is sent', async (t) => {
    const board = await boardForTest(t);
    const [{ topScores }] = await board.boards();
    const [sent] = board.sent;
    assert.equal(await board.redis.command(['DEL', KEY(`action:${sent.actionId}`)]), '1');
    const answer = await postActions(board.nodes[1], sent);
    expectProblem(answer, 503);
    assert.match(answer.body.detail, MISSING);
    await board.halts(MISSING);
    for (const { topScores: now } of await board.boards()) assert.deepEqual(now, topScores);
  });

  it('goes on by itself when it is put back', async (t) => {
    const board = await boardForTest(t);
    await board.redis.command(['RENAME', KEY('users'), 'aside']);
    await board.halts(MISSING);
    await board.redis.command(['RENAME', 'aside', KEY('users')]);
    await board.ready();
    const [answer] = await Promise.all([postActions(board.nodes[0], board.sent[0])]);
    assert.equal(answer.body.duplicate, true);
  });
});

describe('Redis', () => {
  for (const flush of ['FLUSHALL', 'FLUSHDB']) {
    it(`may be emptied by ${flush}, and nodes show what they had`, async (t) => {
      const board = await boardForTest(t);
      await board.survives(() => board.redis.command([flush]), /nothing of this board is in Redis/);
      assert.equal(await board.redis.command(['EXISTS', KEY('meta')]), '0');
      // Another node takes it for a new place. Those that had a board do not follow.
      const fresh = await startPodium({ redis: board.redis.address() });
      t.after(() => fresh.kill());
      await board.halts(/another board/);
      assert.equal((await board.boards())[0].topScores.length, 2);
      await adopt(board);
      for (const { topScores } of await board.boards()) assert.deepEqual(topScores, []);
    });
  }

  for (const policy of ['allkeys-random', 'volatile-lru']) {
    it(`may evict keys (${policy})`, async (t) => {
      const board = await boardForTest(t);
      const { redis } = board;
      await board.survives(async () => {
        await redis.command(['CONFIG', 'SET', 'maxmemory-policy', policy]);
        // Our keys alone are there, and as many go as can.
        await redis.command(['CONFIG', 'SET', 'maxmemory', '1']);
        await redis.command(['SET', 'theirs', 'x']).catch(() => {});
        await eventually(async () => {
          const info = await redis.command(['INFO', 'stats']);
          return /evicted_keys:0\b/.test(info) ? 'nothing is evicted' : undefined;
        });
        await redis.command(['CONFIG', 'SET', 'maxmemory', '0']);
      }, /is missing in Redis|nothing of this board/);
    });
  }

  it('may come back with an older copy', async (t) => {
    const board = await boardForTest(t, { settings: DURABLE });
    const { redis } = board;
    redis.pause();
    const putBack = redis.copyAside();
    redis.resume();
    const lost = action({ userId: board.user, scoreIncrease: 100 });
    assert.equal((await postActions(board.nodes[0], lost)).status, 200);
    await eventually(async () => {
      const [one, other] = await board.boards();
      return one.seq === other.seq ? undefined : 'they do not agree';
    });
    await board.survives(async () => {
      await redis.kill();
      putBack();
      await redis.start();
      await board.halts(/lost the latest entries/);
    }, /lost the latest entries/);
    // A node that has shown nothing does not go on with the older copy either.
    const late = await podium(redis.address(), ['serve']);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /lost the latest entries/);
    await adopt(board);
    for (const node of board.nodes) {
      const known = await postActions(node, board.sent[0]);
      assert.equal(known.body.duplicate, true);
    }
    const again = await postActions(board.nodes[1], lost);
    assert.equal(again.body.duplicate, false);
  });

  it('may be given up by podium reset', async (t) => {
    const board = await boardForTest(t);
    await board.redis.command(['DEL', KEY('log')]);
    await board.redis.command(['SET', 'theirs', 'x']);
    await board.halts(MISSING);
    const before = await board.contents();
    const plan = await board.command('reset');
    assert.equal(plan.code, 1);
    assert.match(plan.stdout, /deletes all keys that begin with podium:\{main\}:/);
    assert.equal(await board.contents(), before);
    assert.equal((await board.command('reset', '--yes')).code, 0);
    await board.ready();
    for (const { topScores } of await board.boards()) assert.deepEqual(topScores, []);
    assert.equal(await board.redis.command(['GET', 'theirs']), 'x');
    await putUser(board.nodes[0].url, board.user, 'Ada');
  });

  it('may have what is left of another board, and nobody begins one there', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.kill());
    for (const key of ['action:x', 'users', 'history:y']) {
      await redis.command(['FLUSHALL']);
      await redis.command(['HSET', KEY(key), 'a', 'b']);
      for (const args of [['serve'], ['migrate', '--from', 'sqlite:nothing.db']]) {
        const { code, stderr } = await podium(redis.address(), args);
        assert.equal(code, 1, stderr);
        if (args[0] === 'serve') assert.match(stderr, /is missing in Redis, and there is/);
      }
      assert.equal(await redis.command(['DBSIZE']), '1');
    }
  });
});

it('of what was acknowledged nothing is removed, whatever is deleted under load', async (t) => {
  const board = await boardForTest(t, { nodes: 3 });
  const { redis } = board;
  const acknowledged = new Map();
  let isOver = false;
  const publish = async (at) => {
    while (!isOver) {
      const body = action({ userId: at % 2 ? board.user : board.other, scoreIncrease: 1 });
      const answer = await postActions(board.nodes[at % 3], body).catch(() => undefined);
      if (answer?.status === 200) acknowledged.set(body.actionId, answer.body);
    }
  };
  const publishers = [0, 1, 2, 3, 4, 5].map(publish);
  const names = ['meta', 'log', 'users', 'revoked', 'announcements'];
  for (let round = 0; round < 10; round++) {
    const count = acknowledged.size;
    await eventually(() => (acknowledged.size > count + 20 ? undefined : 'nothing is acknowledged'));
    const name = names[round % names.length];
    // Aside, so that it can be compared what is missing.
    await redis.command(['RENAME', KEY(name), 'aside']);
    await board.halts(/in Redis/);
    assert.equal(await redis.command(['EXISTS', KEY(name)]), '0', `${name} was made anew`);
    await redis.command(['RENAME', 'aside', KEY(name)]);
    await board.ready();
  }
  isOver = true;
  await Promise.all(publishers);
  const ids = [...acknowledged.keys()];
  for (const id of ids) {
    assert.equal(await redis.command(['EXISTS', KEY(`action:${id}`)]), '1', id);
    if (id === ids[200]) break;
  }
  const { topScores } = await leaderboard(board.nodes[0].url);
  const sum = topScores.reduce((total, { score }) => total + score, 0);
  assert.ok(sum >= acknowledged.size + 10, `${sum} of ${acknowledged.size}`);
  const entries = Number(await redis.command(['XLEN', KEY('log')]));
  const seq = Number(await redis.command(['HGET', KEY('meta'), 'seq']));
  assert.equal(entries, seq, 'the log has no gaps');
  assert.equal((await request(board.nodes[0].url, 'GET', '/readyz')).body, 'ready\n');
});
