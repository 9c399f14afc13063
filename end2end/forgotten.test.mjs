// Whoever is deleted is gone from everything at once, however it was cached.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { act, publisherToken, putUser, request, token } from './support/podium.mjs';
import { connect, disconnectAll, nextEvent, received, roundTrip } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';

after(disconnectAll);

const NAME = 'Zebulon';

it('a deleted player is in no page, picture, search, answer or banner any more', async (t) => {
  const podium = await podiumForTest(t, {
    env: { PODIUM_ACHIEVEMENTS__DURATION: '60s', PODIUM_BOARD__TOP: '12' },
  });
  const gone = randomUUID();
  // Last of ten in the chart; the eleventh takes the place.
  const ids = [gone, ...Array.from({ length: 10 }, () => randomUUID())];
  // All of them before anybody acts: who is alone takes first place from nobody.
  for (const [n, id] of ids.entries()) {
    await putUser(podium.url, id, n === 0 ? NAME : n === 10 ? 'Eleventh' : `Player ${n}`);
  }
  for (const [n, userId] of ids.entries()) {
    await act(podium.url, { userId, scoreIncrease: n === 0 ? 1_000 : 100 - n });
  }
  const paths = [
    '/',
    '/?page=1',
    '/?view=kiosk',
    '/?view=embed',
    '/?refresh=on',
    '/?q=zeb',
    `/players/${gone}`,
    '/api/v1/leaderboard',
    '/api/v1/users?q=zeb',
    `/api/v1/users/${gone}`,
    `/api/v1/users/${gone}/history`,
  ];
  const body = async (path) => (await fetch(new URL(path, podium.url))).text();
  for (const path of paths) assert.ok((await body(path)).includes(NAME), path);
  const viewer = () => connect(podium.url, { token: token({ user: randomUUID(), role: 'viewer' }) });
  const early = await viewer();
  assert.match((await nextEvent(early, 'system_notification')).message, /Zebulon takes first place/);
  assert.doesNotMatch(await chart(body), /Eleventh/);

  const { status } = await request(podium.url, 'DELETE', `/api/v1/users/${gone}`, {
    token: publisherToken(),
  });
  assert.equal(status, 204);

  for (const path of paths) assert.ok(!(await body(path)).includes(NAME), path);
  assert.match(await chart(body), /Eleventh/);
  const late = await viewer();
  const notifications = received(late, 'system_notification');
  await roundTrip(late);
  assert.deepEqual(notifications.filter(({ message }) => message.includes(NAME)), []);
});

it('a player who is renamed is called by the new name in the chart at once', async (t) => {
  const podium = await podiumForTest(t);
  const id = randomUUID();
  await putUser(podium.url, id, NAME);
  for (let n = 0; n < 3; n += 1) await act(podium.url, { userId: id, scoreIncrease: 1 });
  const body = async (path) => (await fetch(new URL(path, podium.url))).text();
  assert.match(await chart(body), /Zebulon/);
  await putUser(podium.url, id, 'Nobody');
  assert.doesNotMatch(await body('/'), /Zebulon/);
  assert.match(await chart(body), /Nobody/);
});

/** The chart of the page. A page that would wait long for it comes without. */
async function chart(body) {
  for (;;) {
    const found = /class="legend[^"]*".*?<\/ol>/s.exec(await body('/'));
    if (found) return found[0];
    await pause(100);
  }
}
