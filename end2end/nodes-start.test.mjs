// A node whose Redis is not there yet waits and says so; one that waiting does not help
// ends at once. A Redis that cannot write says so. What its settings put at risk is said.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';

import { expectProblem } from './support/expect.mjs';
import { eventually } from './support/fleet.mjs';
import { boardForTest, KEY, podium, startUnready } from './support/lost.mjs';
import { action, freePort, newUser, postActions, request } from './support/podium.mjs';
import { DURABLE, startRedis } from './support/redis.mjs';

/** A node that waits, and says to all who ask that it does, and why: `words`. */
async function expectWaits(t, redis, words, env = { PODIUM_LIMITS__ALLOW: '127.0.0.0/8' }) {
  const node = startUnready(redis, { port: await freePort(), env });
  t.after(() => node.child.kill('SIGKILL'));
  await eventually(async () => {
    const answer = await request(node.url, 'GET', '/readyz').catch((error) => ({ error }));
    if (answer.status === 503 && words.test(answer.body.detail)) return undefined;
    return `${JSON.stringify(answer)} ${node.log.text}`;
  });
  const { body } = await request(node.url, 'GET', '/readyz');
  assert.doesNotMatch(body.detail, /127\.0\.0\.1|secret/);
  assert.equal((await request(node.url, 'GET', '/healthz')).body, 'ok\n');
  for (const path of ['/api/v1/leaderboard', '/socket.io/?EIO=4&transport=polling']) {
    expectProblem(await request(node.url, 'GET', path), 503);
  }
  const page = await request(node.url, 'GET', '/');
  assert.equal(page.status, 503);
  assert.equal(page.retryAfter, '5');
  assert.match(page.body, /not ready yet/);
  await node.log.says(/waiting for the store/);
  assert.doesNotMatch(node.log.text, /secret/);
  return node;
}

async function expectGoesOn(node) {
  await node.ready;
  await eventually(async () => {
    const { status, body } = await request(node.url, 'GET', '/readyz');
    return status === 200 ? undefined : JSON.stringify(body);
  });
  assert.equal((await request(node.url, 'GET', '/')).status, 200);
  const userId = await newUser(node);
  assert.equal((await postActions(node, action({ userId, scoreIncrease: 1 }))).status, 200);
}

describe('a node that starts', () => {
  it('waits while Redis is not there, and goes on when it is', async (t) => {
    const redis = await startRedis({ requirepass: 'secret' });
    t.after(() => redis.kill());
    await redis.kill();
    const node = await expectWaits(t, redis.address(':secret'), /refused/);
    await redis.start();
    await expectGoesOn(node);
  });

  it('waits while the name of Redis is not known', async (t) => {
    await expectWaits(t, 'redis://podium.invalid:6379', /lookup|resolve|name/i);
  });

  it('waits while Redis does not answer', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.kill());
    redis.pause();
    const node = await expectWaits(t, redis.address(), /answer|timed out/);
    redis.resume();
    await expectGoesOn(node);
  });

  it('waits while Redis is loading', async (t) => {
    // As one does that has much on its disk.
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (text) => {
        const commands = String(text).match(/\*\d+\r\n/g)?.length ?? 1;
        socket.write('-LOADING Redis is loading the dataset in memory\r\n'.repeat(commands));
      });
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    await expectWaits(t, `redis://127.0.0.1:${server.address().port}`, /loading/i);
  });

  it('waits while Redis is a replica, with its primary or without', async (t) => {
    const redis = await startRedis({ replicaof: `127.0.0.1 ${await freePort()}`, 'replica-serve-stale-data': 'no' });
    t.after(() => redis.kill());
    const node = await expectWaits(t, redis.address(), /replica|MASTERDOWN|link with MASTER/i);
    await redis.command(['REPLICAOF', 'NO', 'ONE']);
    await expectGoesOn(node);
  });

  it('ends at once when it is told to, while it waits', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      const node = await expectWaits(t, `redis://127.0.0.1:${await freePort()}`, /refused/);
      node.child.kill(signal);
      assert.deepEqual(await node.exited, { code: 0, signal: null });
    }
  });

  it('ends at once when waiting does not help', async (t) => {
    const redis = await startRedis({ requirepass: 'secret' });
    t.after(() => redis.kill());
    for (const [address, words] of [
      [redis.address(':wrong'), /the user or the password is wrong/],
      [redis.address(), /it wants a password/],
      [`${redis.address(':secret')}/99`, /no database of that number/],
      ['redis://:secret@', /give a file/],
    ]) {
      const { code, stderr } = await podium(address, ['serve']);
      assert.equal(code, 1);
      assert.match(stderr, words);
    }
  });
});

describe('a Redis that cannot write', () => {
  /** Without being asked to write, a node says within seconds that it cannot. */
  async function expectSaysSo(board, words) {
    await board.halts(words);
    const answer = await postActions(board.nodes[0], action({ userId: board.user, scoreIncrease: 1 }));
    expectProblem(answer, 503);
    assert.match(answer.body.detail, words);
    assert.equal((await request(board.nodes[0].url, 'GET', '/')).status, 200);
  }

  it('because its memory is full says so, and goes on', async (t) => {
    const board = await boardForTest(t, { nodes: 1 });
    await board.redis.command(['CONFIG', 'SET', 'maxmemory', '1']);
    await expectSaysSo(board, /memory of Redis is full/);
    await board.redis.command(['CONFIG', 'SET', 'maxmemory', '0']);
    await board.ready();
  });

  it('because its disk is full says so, and goes on', async (t) => {
    const board = await boardForTest(t, { nodes: 1, settings: { save: '3600 1' } });
    const { redis } = board;
    const folder = await redis.command(['--raw', 'CONFIG', 'GET', 'dir']);
    const path = folder.split('\n')[1];
    // It cannot write its snapshot where there is a folder of that name.
    mkdirSync(`${path}/dump.rdb`);
    writeFileSync(`${path}/dump.rdb/file`, '');
    await redis.command(['BGSAVE']);
    await expectSaysSo(board, /cannot save to its disk/);
    // A node can start there, and show the board.
    const late = startUnready(redis.address(), { port: await freePort() });
    t.after(() => late.child.kill('SIGKILL'));
    await late.ready;
    assert.match((await request(late.url, 'GET', '/api/v1/leaderboard')).body.topScores[0].username, /Ada/);
    rmSync(`${path}/dump.rdb`, { recursive: true });
    await redis.command(['BGSAVE']);
    await board.ready();
  });

  it('because it may evict keys says so, and goes on', async (t) => {
    const board = await boardForTest(t, { nodes: 1 });
    const { redis } = board;
    await redis.command(['CONFIG', 'SET', 'maxmemory', '1gb']);
    for (const policy of ['allkeys-lru', 'volatile-ttl']) {
      await redis.command(['CONFIG', 'SET', 'maxmemory-policy', policy]);
      const words = new RegExp(`maxmemory-policy ${policy}.* set maxmemory-policy noeviction`);
      await expectSaysSo(board, words);
      // A node can start there, and show the board.
      const late = startUnready(redis.address(), { port: await freePort() });
      t.after(() => late.child.kill('SIGKILL'));
      await late.ready;
      assert.match((await request(late.url, 'GET', '/api/v1/leaderboard')).body.topScores[0].username, /Ada/);
      expectProblem(await request(late.url, 'GET', '/readyz'), 503);
      expectProblem(await postActions(late, action({ userId: board.user, scoreIncrease: 1 })), 503);
      assert.match((await podium(redis.address(), ['check-config'])).stdout, words);
      await redis.command(['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
      await board.ready();
      const again = await postActions(board.nodes[0], board.sent[0]);
      assert.equal(again.body.duplicate, true);
      late.child.kill('SIGKILL');
    }
  });

  it('because replicas are missing says so', async (t) => {
    const board = await boardForTest(t, { nodes: 1 });
    await board.redis.command(['CONFIG', 'SET', 'min-replicas-to-write', '1']);
    await expectSaysSo(board, /too few replicas/);
    await board.redis.command(['CONFIG', 'SET', 'min-replicas-to-write', '0']);
    await board.ready();
  });

  it('because it hangs answers senders in a bounded time', async (t) => {
    const board = await boardForTest(t, { nodes: 1 });
    board.redis.pause();
    const answer = await postActions(board.nodes[0], action({ userId: board.user, scoreIncrease: 1 }));
    expectProblem(answer, 503);
    await eventually(async () => {
      const { body } = await request(board.nodes[0].url, 'GET', '/metrics');
      return /^podium_store_open 0$/m.test(body) ? undefined : 'the store looks open';
    });
    board.redis.resume();
    await board.ready();
  });
});

describe('settings of Redis that put the board at risk', () => {
  const said = async (redis) => {
    const { code, stdout } = await podium(redis, ['check-config']);
    assert.equal(code, 0);
    return stdout;
  };

  it('are said by check-config', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.kill());
    assert.match(await said(redis.address()), /keeps nothing on disk/);
    await redis.command(['CONFIG', 'SET', 'save', '3600 1']);
    assert.match(await said(redis.address()), /no append-only file/);
    await redis.command(['CONFIG', 'SET', 'appendonly', 'yes']);
    assert.doesNotMatch(await said(redis.address()), /Beware/);
    for (const [name, value, words] of [
      ['maxmemory-policy', 'allkeys-lru', /maxmemory-policy allkeys-lru/],
      ['appendfsync', 'no', /appendfsync no/],
      ['replica-read-only', 'no', /replica-read-only no/],
    ]) {
      await redis.command(['CONFIG', 'SET', name, value]);
      assert.match(await said(redis.address()), words);
    }
    assert.equal(await redis.command(['EXISTS', KEY('meta')]), '0', 'nothing is made there');
  });

  it('are said at the start', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.kill());
    const node = startUnready(redis.address(), { port: await freePort() });
    t.after(() => node.child.kill('SIGKILL'));
    await node.ready;
    await node.log.says(/keeps nothing on disk/);
  });

  it('cannot be said where nobody may read them, and that is said', async (t) => {
    const redis = await startRedis(DURABLE, [
      'user default on nopass ~* &* +@all',
      'user podium on >secret ~podium:{main}:* +@all -config',
    ]);
    t.after(() => redis.kill());
    assert.match(await said(redis.address('podium:secret')), /does not let this user read its settings/);
  });
});
