// What may happen to Redis, and to nodes, while three of them are used: meanwhile
// everybody sees the board and no action is lost, and then all show the same again.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectLeaderboard, expectProblem } from './support/expect.mjs';
import { CONVERGED_WITHIN_MS, eventually, fleetForTest, TOP } from './support/fleet.mjs';
import { action, act, leaderboard, postActions, request, startPodium, token } from './support/podium.mjs';
import { podium } from './support/lost.mjs';
import { DURABLE, startRedis } from './support/redis.mjs';
import { connect, nextEvent } from './support/socket.mjs';

const AWAY = 'New results cannot be taken at the moment: the board shows the last ones';
const BACK = 'Results are coming in again';

/** Publishers send to all nodes from now on. */
async function inUse(t, options) {
  const fleet = await fleetForTest(t, options);
  const traffic = fleet.traffic();
  await traffic.flows();
  return { t, fleet, traffic };
}

/** While actions are refused, everything that was is shown. */
async function expectReadable({ nodes, urls, players }) {
  for (const [at, url] of urls.entries()) {
    expectLeaderboard(await leaderboard(url));
    for (const path of ['/', '/?page=1', '/healthz', `/api/v1/users/${players[at]}`]) {
      assert.equal((await request(url, 'GET', path)).status, 200, path);
    }
    const answer = await postActions(nodes[at], action({ userId: players[at], scoreIncrease: 1 }));
    expectProblem(answer, 503);
    assert.match(answer.retryAfter, /^[15]$/);
    // Whoever comes now sees the board too.
    const late = await connect(url, { token: token({ user: randomUUID(), role: 'viewer' }) });
    late.emit('subscribe_scoreboard');
    assert.equal((await nextEvent(late, 'leaderboard_refresh')).topScores.length, TOP);
  }
}

/**
 * Since `healed`, all is well again: each node takes actions, and in the promised time
 * everybody shows the same. Resolves to the board.
 */
async function recovers({ t, fleet, traffic }, healed) {
  await traffic.flows();
  await traffic.end();
  const board = await fleet.agrees(healed + CONVERGED_WITHIN_MS);
  const took = Date.now() - healed;
  assert.ok(took <= CONVERGED_WITHIN_MS, `it took ${took} ms`);
  t.diagnostic(`all agree after ${took} ms`);
  return board;
}

/** What was acknowledged is on the board, and nothing is there twice. */
function expectCounted({ fleet, traffic }, { topScores }) {
  const scores = Object.fromEntries(topScores.map(({ userId, score }) => [userId, score]));
  fleet.players.forEach((userId, i) => {
    assert.equal(scores[userId], 10 * i + (traffic.points.get(userId) ?? 0), `of player ${i}`);
  });
}

/** Everybody who watches has seen this banner, once. */
const saw = ({ watchers }, message) =>
  eventually(() => {
    const missed = watchers.find(({ banners }) => !banners.includes(message));
    return missed && `"${message}" did not come to ${missed}`;
  });

const epochOf = async ({ urls }) => (await leaderboard(urls[0])).epoch;

/** Waits until each node has begun another epoch. */
const beganAnew = ({ urls }, old) =>
  eventually(async () => {
    const boards = await Promise.all(urls.map((url) => leaderboard(url)));
    return boards.some(({ epoch }) => epoch === old) ? 'a node is still in the old epoch' : undefined;
  });

const cutConnections = (redis, options) =>
  redis.command(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'], options);

describe('Redis, under three nodes,', () => {
  it('may be killed and started again', async (t) => {
    const used = await inUse(t, { settings: DURABLE });
    const { fleet, traffic } = used;
    const epoch = await epochOf(fleet);
    await fleet.redis.kill();
    await fleet.storesAre('away');
    await expectReadable(fleet);
    await saw(fleet, AWAY);
    for (const url of fleet.urls) {
      const late = await connect(url, { token: token({ user: randomUUID(), role: 'viewer' }) });
      await nextEvent(late, 'system_notification', ({ message }) => message === AWAY);
    }
    assert.ok(traffic.refused > 0);
    await fleet.redis.start();
    const board = await recovers(used, Date.now());
    expectCounted(used, board);
    assert.equal(board.epoch, epoch);
    await fleet.storesAre('open');
    await saw(fleet, BACK);
  });

  it('may be killed again and again', async (t) => {
    const used = await inUse(t, { settings: DURABLE });
    for (let i = 0; i < 4; i++) {
      await used.fleet.redis.kill();
      await used.fleet.redis.start();
      if (i < 3) await used.traffic.flows();
    }
    expectCounted(used, await recovers(used, Date.now()));
  });

  it('may stop to answer', async (t) => {
    const used = await inUse(t);
    const { fleet } = used;
    fleet.redis.pause();
    await fleet.storesAre('away');
    await expectReadable(fleet);
    fleet.redis.resume();
    expectCounted(used, await recovers(used, Date.now()));
    await fleet.storesAre('open');
  });

  it('may cut all connections', async (t) => {
    const used = await inUse(t);
    for (let i = 0; i < 10; i++) {
      await cutConnections(used.fleet.redis);
      if (i < 9) await used.traffic.flows();
    }
    expectCounted(used, await recovers(used, Date.now()));
  });

  it('may be full', async (t) => {
    const used = await inUse(t);
    const { fleet, traffic } = used;
    await fleet.redis.command(['CONFIG', 'SET', 'maxmemory', '1']);
    await eventually(() => (traffic.refused > 10 ? undefined : 'actions are taken'));
    await expectReadable(fleet);
    await fleet.redis.command(['CONFIG', 'SET', 'maxmemory', '0']);
    expectCounted(used, await recovers(used, Date.now()));
  });

  it('may change its password, and change it back', async (t) => {
    const password = 'the-first-one';
    const used = await inUse(t, { settings: { requirepass: password }, login: `:${password}` });
    const { fleet } = used;
    const changed = { password: 'another-one' };
    await fleet.redis.command(['CONFIG', 'SET', 'requirepass', changed.password], { password });
    await cutConnections(fleet.redis, changed);
    await fleet.storesAre('away');
    await expectReadable(fleet);
    await fleet.redis.command(['CONFIG', 'SET', 'requirepass', password], changed);
    expectCounted(used, await recovers(used, Date.now()));
  });

  for (const [how, words] of [
    ['slow', ['DEBUG', 'SLEEP', '1']],
    ['too slow', ['DEBUG', 'SLEEP', '3']],
    ['paused', ['CLIENT', 'PAUSE', '1500', 'ALL']],
    ['unable to write for a while', ['CLIENT', 'PAUSE', '3000', 'WRITE']],
  ]) {
    it(`may be ${how}`, async (t) => {
      const used = await inUse(t);
      const { redis } = used.fleet;
      await redis.command(words);
      // It answers this when it is quick again.
      await redis.command(['SET', 'quick', 'again']);
      expectCounted(used, await recovers(used, Date.now()));
    });
  }

  it('may come back with older data, and all wait until an operator has decided', async (t) => {
    const used = await inUse(t, { settings: DURABLE });
    const { fleet, traffic } = used;
    const [kept, lost] = fleet.players.map((userId) => action({ userId, scoreIncrease: 500 }));
    const first = await postActions(fleet.nodes[0], kept);
    fleet.redis.pause();
    const putBack = fleet.redis.copyAside();
    fleet.redis.resume();
    assert.equal((await postActions(fleet.nodes[1], lost)).status, 200);
    await traffic.flows();
    const epoch = await epochOf(fleet);
    await fleet.redis.kill();
    putBack();
    await fleet.redis.start();
    await fleet.storesRefuse(/lost the latest entries/);
    await expectReadable(fleet);
    await saw(fleet, AWAY);
    assert.equal(await epochOf(fleet), epoch);
    const { code, stderr } = await podium(fleet.redis.address(), ['adopt', '--yes']);
    assert.equal(code, 0, stderr);
    const healed = Date.now();
    await beganAnew(fleet, epoch);
    await recovers(used, healed);
    for (const node of fleet.nodes) {
      const again = await postActions(node, kept);
      assert.deepEqual(again.body, { ...first.body, duplicate: true });
    }
    // What was lost is counted when it is sent again.
    const again = await postActions(fleet.nodes[2], lost);
    assert.equal(again.body.duplicate, false);
    await fleet.agrees();
    await saw(fleet, BACK);
  });

  it('may lose everything, and all begin anew when an operator says so', async (t) => {
    const fleet = await fleetForTest(t);
    const { redis, watchers } = fleet;
    const { epoch, topScores } = await fleet.agrees();
    await redis.command(['FLUSHALL']);
    await fleet.storesRefuse(/nothing of this board is in Redis/);
    await expectReadable(fleet);
    for (const it of await fleet.boards()) assert.deepEqual(it.topScores, topScores);
    const { code, stderr } = await podium(redis.address(), ['reset', '--yes'], {
      PODIUM_BOARD__TOP: String(TOP),
    });
    assert.equal(code, 0, stderr);
    await beganAnew(fleet, epoch);
    const empty = await fleet.boards();
    for (const { topScores, seq } of empty) assert.deepEqual([topScores, seq], [[], 0]);
    const players = watchers.filter(({ user }) => user);
    // Some have come meanwhile to a node that knew them still, and go again. From now on all
    // are refused.
    for (const watcher of players) watcher.refused = undefined;
    for (const watcher of players) {
      await eventually(() => (/not found/.test(watcher.refused) ? undefined : `${watcher} goes on`));
      assert.equal(watcher.expired, 'User deleted');
      watcher.expired = undefined;
    }
    // Who plays has to be registered again, and all players come back by themselves.
    await fleet.register();
    const traffic = fleet.traffic();
    await traffic.flows();
    const used = { t, fleet, traffic };
    expectCounted(used, await recovers(used, Date.now()));
  });
});

describe('nodes', () => {
  it('may be killed and replaced, one after the other', async (t) => {
    const used = await inUse(t);
    const { fleet, traffic } = used;
    for (const [at, node] of fleet.nodes.entries()) {
      await node.kill();
      // Clients come back to those who are left, from where they were.
      await act(fleet.urls[(at + 1) % 3], { userId: fleet.players[0], scoreIncrease: 0 });
      fleet.nodes[at] = await fleet.node();
      await traffic.flows();
    }
    expectCounted(used, await recovers(used, Date.now()));
  });

  it('may be stopped and started while others go on', async (t) => {
    const used = await inUse(t);
    const { fleet, traffic } = used;
    const { code } = await fleet.nodes[2].stop();
    assert.equal(code, 0);
    fleet.nodes[2] = await fleet.node();
    await traffic.flows();
    expectCounted(used, await recovers(used, Date.now()));
  });

  it('say what is wrong when they cannot start', async (t) => {
    const redis = await startRedis({ requirepass: 'right' });
    t.after(() => redis.kill());
    const refusal = async (address) => {
      const error = await startPodium({ redis: address }).then(
        () => assert.fail('it has started'),
        (error) => error.message,
      );
      assert.match(error, /ended before it listened \(1\)/);
      assert.doesNotMatch(error, /panicked/);
      return error;
    };
    const wrong = await refusal(redis.address(':not-the-one'));
    assert.match(wrong, /the user or the password is wrong/);
    assert.doesNotMatch(wrong, /not-the-one/);
    assert.match(await refusal(redis.address()), /it wants a password/);
    assert.match(await refusal(`${redis.address(':right')}/99`), /no database of that number/);
  });
});
