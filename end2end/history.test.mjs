// What a user did, and users by name, against the real server.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { expectFoundUser, expectHistory, expectProblem } from './support/expect.mjs';
import {
  act,
  actAll,
  leaderboard,
  newUser,
  publisherToken,
  putUser,
  request,
  startPodium,
} from './support/podium.mjs';
import { podiumForSuite, podiumForTest } from './support/suite.mjs';

/** Reads as anybody may, without a token. */
function get(podium, path) {
  return request(podium.url, 'GET', path);
}

async function history(podium, userId, query = '') {
  const response = await get(podium, `/api/v1/users/${userId}/history${query}`);
  assert.equal(response.status, 200, JSON.stringify(response.body));
  assert.match(response.contentType, /^application\/json\b/);
  expectHistory(response.body);
  return response.body;
}

async function find(podium, q, limit) {
  const query = new URLSearchParams(limit === undefined ? { q } : { q, limit });
  const response = await get(podium, `/api/v1/users?${query}`);
  assert.equal(response.status, 200, JSON.stringify(response.body));
  assert.deepEqual(Object.keys(response.body).sort(), ['more', 'users']);
  response.body.users.forEach(expectFoundUser);
  return response.body;
}

async function namesOf(podium, q, limit) {
  return (await find(podium, q, limit)).users.map(({ username }) => username);
}

function remove(podium, userId) {
  return request(podium.url, 'DELETE', `/api/v1/users/${userId}`, { token: publisherToken() });
}

describe('GET /api/v1/users/{id}/history', () => {
  const podium = podiumForSuite();

  it('has every action with what it was answered, at once', async (t) => {
    const podium = await podiumForTest(t);
    const [userId, other] = [randomUUID(), await newUser(podium)];
    await putUser(podium.url, userId, 'Zoë', '/zoe.png');
    const answers = [];
    for (const [actionType, scoreIncrease] of [['quiz', 10], ['goal', -3], ['quiz', 0]]) {
      answers.push(await act(podium.url, { userId, actionType, scoreIncrease }));
      await act(podium.url, { userId: other, scoreIncrease: 8 });
    }
    const last = await act(podium.url, { userId, actionType: 'last', scoreIncrease: 1 });
    answers.push(last);

    const data = await history(podium, userId);
    const { epoch, seq } = await leaderboard(podium.url);
    const { history: points, recent, firstActionAt, lastActionAt, ...user } = data;
    const expected = { userId, username: 'Zoë', avatar: '/zoe.png', score: 8, rank: 2 };
    assert.deepEqual(user, { ...expected, bestRank: 1, actions: 4, epoch, seq });
    assert.deepEqual(
      points.map(({ timestamp, ...point }) => point),
      answers.map(({ seq, score, rank }) => ({ seq, score, rank })),
    );
    assert.equal(firstActionAt, points[0].timestamp);
    assert.equal(lastActionAt, points[3].timestamp);
    assert.ok(Math.abs(Date.now() - Date.parse(lastActionAt)) < 60_000);
    assert.deepEqual(
      recent.map(({ actionType, scoreIncrease }) => [actionType, scoreIncrease]),
      [['last', 1], ['quiz', 0], ['goal', -3], ['quiz', 10]],
    );
    assert.deepEqual(
      recent.map(({ actionType, scoreIncrease, ...point }) => point).reverse(),
      points,
    );
  });

  it('is the same after the server died', async (t) => {
    const first = await startPodium();
    const userId = await newUser(first);
    await actAll(first.url, [1, 2, 3].map((scoreIncrease) => ({ userId, scoreIncrease })));
    const before = await history(first, userId);
    await first.kill();
    const podium = await podiumForTest(t, { database: first.database });
    assert.deepEqual(await history(podium, userId), before);
    assert.equal(before.history[2].score, 6);
  });

  it('is empty before the first action', async () => {
    const userId = await newUser(podium);
    const data = await history(podium, userId);
    assert.deepEqual([data.history, data.recent, data.actions, data.bestRank], [[], [], 0, null]);
    assert.ok(!('firstActionAt' in data) && !('lastActionAt' in data));
    assert.equal(data.score, 0);
  });

  it('has few points of many actions, and both ends', async () => {
    const userId = await newUser(podium);
    const actions = Array.from({ length: 600 }, () => ({ userId, scoreIncrease: 1 }));
    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(...(await actAll(podium.url, actions.slice(0, 100))));
    const scores = (data) => data.history.map(({ score }) => score);

    assert.deepEqual(scores(await history(podium, userId, '?points=1000')).length, 600);
    const byDefault = scores(await history(podium, userId));
    assert.ok(byDefault.length <= 200 && byDefault.length >= 6, `${byDefault.length}`);
    assert.deepEqual([byDefault[0], byDefault.at(-1)], [1, 600]);
    assert.deepEqual(scores(await history(podium, userId, '?points=2')), [1, 600]);
    assert.deepEqual(scores(await history(podium, userId, '?points=1')), [600]);
    const { recent, history: all } = await history(podium, userId, '?points=600');
    assert.deepEqual(recent.map(({ seq }) => seq), answers.slice(-20).map(({ seq }) => seq).reverse());
    assert.deepEqual(all.map(({ rank }) => rank), answers.map(({ rank }) => rank));
  });

  it('ends with the user, and begins anew', async () => {
    const userId = await newUser(podium);
    await act(podium.url, { userId, scoreIncrease: 5 });
    await remove(podium, userId);
    expectProblem(await get(podium, `/api/v1/users/${userId}/history`), 404);
    await putUser(podium.url, userId, 'Again');
    assert.equal((await history(podium, userId)).actions, 0);
  });

  it('is asked for in the right way', async () => {
    const userId = await newUser(podium);
    expectProblem(await get(podium, `/api/v1/users/${randomUUID()}/history`), 404);
    expectProblem(await get(podium, '/api/v1/users/ada/history'), 400);
    for (const points of ['0', '1001', '-1', '1.5', 'all', '']) {
      expectProblem(await get(podium, `/api/v1/users/${userId}/history?points=${points}`), 400);
    }
    const path = `/api/v1/users/${userId}/history`;
    expectProblem(await request(podium.url, 'POST', path, { body: {} }), 405);
  });
});

describe('GET /api/v1/users?q', () => {
  it('finds words that begin so, the best first', async (t) => {
    const podium = await podiumForTest(t);
    const [ada, zoe] = [randomUUID(), randomUUID()];
    await putUser(podium.url, ada, 'Ada Lovelace');
    await putUser(podium.url, zoe, 'Zoë Lo', 'https://example.com/zoe.png');
    await newUser(podium, 'Marie Curie');
    await act(podium.url, { userId: zoe, scoreIncrease: 5 });
    assert.deepEqual(await find(podium, 'lo'), {
      users: [
        { userId: zoe, username: 'Zoë Lo', avatar: 'https://example.com/zoe.png', score: 5, rank: 1 },
        { userId: ada, username: 'Ada Lovelace', score: 0, rank: 2 },
      ],
      more: false,
    });
    assert.deepEqual(await namesOf(podium, 'ZOE'), ['Zoë Lo']);
    assert.deepEqual(await namesOf(podium, 'love ada'), ['Ada Lovelace']);
    assert.deepEqual(await namesOf(podium, 'ove'), []);

    await act(podium.url, { userId: ada, scoreIncrease: 6 });
    assert.deepEqual(await namesOf(podium, 'lo'), ['Ada Lovelace', 'Zoë Lo']);
    await putUser(podium.url, ada, 'Countess');
    await remove(podium, zoe);
    assert.deepEqual(await namesOf(podium, 'lo'), []);
    assert.deepEqual(await namesOf(podium, 'count'), ['Countess']);
  });

  it('says when there are more', async (t) => {
    const podium = await podiumForTest(t);
    for (let n = 1; n <= 22; n++) await newUser(podium, `Player ${n}`);
    const byDefault = await find(podium, 'player');
    assert.deepEqual([byDefault.users.length, byDefault.more], [20, true]);
    assert.deepEqual(
      byDefault.users.map(({ rank }) => rank),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    const all = await find(podium, 'player', 22);
    assert.deepEqual([all.users.length, all.more], [22, false]);
    const one = await find(podium, 'player', 1);
    assert.deepEqual([one.users.length, one.more], [1, true]);
  });

  it('is asked for in the right way', async (t) => {
    const podium = await podiumForTest(t);
    await newUser(podium, 'Ada');
    for (const nothing of ['', '   ']) {
      assert.deepEqual(await find(podium, nothing), { users: [], more: false });
    }
    assert.deepEqual(await namesOf(podium, 'ä'.repeat(100)), []);
    for (const query of ['', '?limit=5', '?q=ada&limit=0', '?q=ada&limit=51', '?q=ada&limit=many']) {
      expectProblem(await get(podium, `/api/v1/users${query}`), 400);
    }
    expectProblem(await get(podium, `/api/v1/users?q=${encodeURIComponent('ä'.repeat(101))}`), 400);
    expectProblem(await request(podium.url, 'PATCH', '/api/v1/users', { body: {} }), 405);
  });
});
