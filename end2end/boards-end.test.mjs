// A board that ends: once, at its time, with standings that stay.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';

import { expectProblem } from './support/expect.mjs';
import { action, request, token } from './support/podium.mjs';
import { ask, connect, nextEvent } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';

const LASTING = { iat: 1_577_836_800, exp: 4_102_444_800 };
const admin = token({ user: randomUUID(), role: 'admin', claims: LASTING });
const END = '2026-10-25T23:00:00.000Z';
const BERLIN = { zone: 'Europe/Berlin' };

/** A server whose clock starts then. */
const startingAt = (time, database) => ({
  database,
  env: {
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1',
    FAKETIME: `@${time}`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    TZ: 'UTC',
  },
});

const call = (podium, method, path, body) =>
  request(podium.url, method, `/api/v1${path}`, { token: admin, body });

async function read(podium, path) {
  const { status, body } = await call(podium, 'GET', path);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return body;
}

async function put(podium, path, body) {
  const answer = await call(podium, 'PUT', path, body);
  assert.ok(answer.status < 300, `PUT ${path}: ${JSON.stringify(answer.body)}`);
}

async function act(podium, board, userId, scoreIncrease) {
  const body = { ...action({ userId, scoreIncrease }), board };
  return call(podium, 'POST', '/actions', body);
}

const shown = ({ topScores }) => topScores.map(({ username, score, rank }) => [username, score, rank]);

/** A cup that ends when a week and a day do, and people who have points in it. */
async function begin(podium) {
  await put(podium, '/boards/cup', { title: 'Cup', ends: END });
  await put(podium, '/boards/week', { of: 'main', period: { every: 'week', ...BERLIN } });
  await put(podium, '/boards/day', { of: 'main', period: { every: 'day', ...BERLIN } });
  // It ends within a day.
  await put(podium, '/boards/last-day', {
    of: 'cup',
    period: { every: 'day', zone: 'UTC' },
    ends: END,
  });
  await put(podium, '/boards/copy', { of: 'cup', ends: END });
  const ids = {};
  for (const [username, points] of [['Ada', 30], ['Bo', 40], ['Cy', 10]]) {
    ids[username] = randomUUID();
    await put(podium, `/users/${ids[username]}`, { username });
    for (const board of ['main', 'cup']) {
      assert.equal((await act(podium, board, ids[username], points)).status, 200);
    }
  }
  return ids;
}

const ALL = [['Bo', 40, 1], ['Ada', 30, 2], ['Cy', 10, 3]];

/** What is there when all has ended. */
async function hasEnded(podium, ids) {
  const week = { number: 1, name: '2026-W43', ended: END };
  const day = { number: 1, name: '2026-10-25', ended: END };
  const cup = { number: 1, ended: END };
  for (const [board, ended] of Object.entries({ week, day, cup, 'last-day': day })) {
    assert.deepEqual(await read(podium, `/boards/${board}/seasons`), [ended], board);
    const final = await read(podium, `/boards/${board}/seasons/1/leaderboard`);
    assert.deepEqual(shown(final), ALL, board);
  }
  // What goes on is empty; what has ended stays as it is.
  for (const board of ['week', 'day']) {
    assert.deepEqual(shown(await read(podium, `/boards/${board}/leaderboard`)), []);
    assert.equal((await read(podium, `/boards/${board}`)).season.number, 2);
  }
  for (const board of ['cup', 'last-day', 'copy']) {
    const history = await read(podium, `/boards/${board}/users/${ids.Ada}/history`);
    assert.deepEqual([history.actions, history.history.at(-1)?.score], [1, 30], board);
    assert.deepEqual(shown(await read(podium, `/boards/${board}/leaderboard`)), ALL, board);
    assert.equal((await read(podium, `/boards/${board}`)).season, undefined);
  }
}

async function page(podium, path) {
  const response = await fetch(podium.url + path);
  assert.equal(response.status, 200, path);
  return response.text();
}

it('a cup, a week and a day end at the same moment, once each', async (t) => {
  const podium = await podiumForTest(t, startingAt('2026-10-25 22:59:48'));
  const ids = await begin(podium);
  const socket = await connect(podium.url, { token: admin });
  await ask(socket, 'subscribe_scoreboard', { board: 'week' });
  assert.deepEqual(await read(podium, '/boards/cup/seasons'), []);
  // Nobody does anything: the clock does.
  while ((await nextEvent(socket, 'leaderboard_refresh')).totalUsers !== 0);
  await hasEnded(podium, ids);
  const refused = await act(podium, 'cup', ids.Ada, 1);
  expectProblem(refused, 409);
  assert.match(refused.body.detail, /has ended/);

  assert.match(await page(podium, '/b/cup'), /href="\/b\/cup\/seasons\/1">Final standings</);
  const final = await page(podium, '/b/cup/seasons/1');
  assert.match(final, /<title>Final standings · Cup<\/title>/);
  assert.ok(final.indexOf('Bo') < final.indexOf('Ada') && final.includes('Cy'));

  // Who is hidden is gone from it, and comes back with the same points.
  const standing = (hidden, reason) =>
    call(podium, 'PUT', `/users/${ids.Bo}/standing`, { hidden, reason });
  assert.equal((await standing(true, 'used two accounts')).status, 204);
  const cup = async () => shown(await read(podium, '/boards/cup/seasons/1/leaderboard'));
  assert.deepEqual(await cup(), [['Ada', 30, 1], ['Cy', 10, 2]]);
  expectProblem(await standing(false, 'x'.repeat(501)), 422);
  assert.equal((await standing(false)).status, 204);
  assert.deepEqual(await cup(), ALL);

  // A later end makes a second list, and leaves the first.
  await put(podium, '/boards/cup', { title: 'Cup', ends: '2100-01-01T00:00:00.000Z' });
  assert.equal((await act(podium, 'cup', ids.Cy, 50)).status, 200);
  assert.deepEqual(await cup(), ALL);
  assert.deepEqual(shown(await read(podium, '/boards/cup/leaderboard'))[0], ['Cy', 60, 1]);
});

it('what ended while no server ran ended at its time', async (t) => {
  const podium = await podiumForTest(t, startingAt('2026-10-25 20:00:00'));
  const ids = await begin(podium);
  await podium.stop();
  const later = await podiumForTest(t, startingAt('2026-10-26 08:00:00', podium.database));
  expectProblem(await act(later, 'cup', ids.Ada, 1), 409);
  await hasEnded(later, ids);
  await later.stop();
  const again = await podiumForTest(t, startingAt('2026-10-26 09:00:00', later.database));
  await hasEnded(again, ids);
});

it('main ends as any board does', async (t) => {
  const podium = await podiumForTest(t);
  const ada = randomUUID();
  await put(podium, `/users/${ada}`, { username: 'Ada' });
  assert.equal((await act(podium, 'main', ada, 3)).status, 200);
  const { title } = await read(podium, '/boards/main');
  const socket = await connect(podium.url, { token: admin });
  await ask(socket, 'subscribe_scoreboard', {});
  await put(podium, '/boards/main', { title, everyone: true, ends: '2026-01-01T00:00:00.000Z' });
  while ((await read(podium, '/boards/main/seasons')).length === 0) {
    await nextEvent(socket, 'leaderboard_refresh');
  }
  expectProblem(await act(podium, 'main', ada, 3), 409);
  assert.match(await page(podium, '/'), /href="\/seasons\/1">Final standings</);
  assert.match(await page(podium, '/seasons/1'), /Ada/);
});
