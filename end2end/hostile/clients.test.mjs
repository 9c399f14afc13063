// Clients that are slow, silent, loud or late, and what becomes of the others.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { describe, it } from 'node:test';

import { act, leaderboard, putUser, request, startPodium, token } from '../support/podium.mjs';
import { openPolling } from '../support/polling.mjs';
import { ask, connect, connectError, nextEvent, received, roundTrip } from '../support/socket.mjs';
import { podiumForTest } from '../support/suite.mjs';

const viewer = () => token({ user: randomUUID(), role: 'viewer' });

/** A registered player with points. */
async function player(podium, name, score = 0) {
  const user = randomUUID();
  await putUser(podium.url, user, name);
  if (score) await act(podium.url, { userId: user, scoreIncrease: score });
  return user;
}

describe('a client that reads slowly', () => {
  it('ends up with the newest board', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_LIMITS__EVENTS_PER_MINUTE: '10000' } });
    const user = await player(podium, 'Ada', 1);
    const slow = await openPolling(podium.url);
    await slow.connect(token({ user }));
    await slow.emit('subscribe_scoreboard');
    // Answers that it does not read fill all the places that it has.
    for (let i = 0; i < 20; i++) await slow.send(...Array(10).fill('42["ping"]'));
    const witness = await connect(podium.url, { token: viewer() });
    witness.emit('subscribe_scoreboard');
    await act(podium.url, { userId: user, scoreIncrease: 1000 });
    const newest = ({ topScores }) => topScores[0].score === 1001;
    const { seq } = await nextEvent(witness, 'leaderboard_refresh', newest);

    let board;
    let own;
    while (board?.seq !== seq || own?.score !== 1001) {
      for (const [name, payload] of await slow.read()) {
        if (name === 'leaderboard_refresh') {
          assert.ok(payload.seq >= (board?.seq ?? 0), 'no step back');
          board = payload;
        }
        if (name === 'user_score_update') own = payload;
      }
    }
    assert.deepEqual(board, await leaderboard(podium.url));
    // And it is live again.
    await act(podium.url, { userId: user, scoreIncrease: 1 });
    while (board.topScores[0].score !== 1002) {
      for (const [name, payload] of await slow.read()) {
        if (name === 'leaderboard_refresh') board = payload;
      }
    }
  });
});

describe('a client that says too much', () => {
  it('is told so, then cut off, and disturbs nobody', async (t) => {
    const podium = await podiumForTest(t);
    const user = await player(podium, 'Ada');
    const quiet = await connect(podium.url, { token: viewer() });
    quiet.emit('subscribe_scoreboard');
    await nextEvent(quiet, 'leaderboard_refresh');

    const loud = await connect(podium.url, { token: viewer() });
    // Not `once` of Node, which takes an event called `error` for a failure.
    const gone = new Promise((resolve) => loud.once('disconnect', resolve));
    for (let i = 0; i < 60; i++) loud.emit('ping');
    await roundTripOf(loud, 60);
    // On a slow machine a few more have become allowed meanwhile, one each second.
    for (let i = 0; i < 30; i++) loud.emit('ping');
    assert.deepEqual(await nextEvent(loud, 'error'), { message: 'Rate limit exceeded' });
    for (let i = 0; i < 20_000; i++) loud.emit('ping');
    // What it goes on sending after the goodbye closes the transport as well.
    assert.match(await gone, /^(io server disconnect|transport close|transport error)$/);

    await act(podium.url, { userId: user, scoreIncrease: 5 });
    await nextEvent(quiet, 'leaderboard_refresh', ({ topScores }) => topScores[0].score === 5);
    assert.ok(quiet.connected);
  });

  /** Waits until so many pings were answered. */
  async function roundTripOf(socket, pings) {
    while (received(socket, 'pong').length < pings) await nextEvent(socket, 'pong');
  }
});

describe('a message', () => {
  const event = (bytes) => ['subscribe_user_score', 'x'.repeat(bytes)];

  for (const transport of ['websocket', 'polling']) {
    it(`of any size up to the limit is answered over ${transport}, and no larger one`, async (t) => {
      const podium = await podiumForTest(t);
      const options = { transports: [transport] };
      const socket = await connect(podium.url, { token: viewer(), ...options });
      // The limit is 16 KiB, of which the name of the event takes a little.
      assert.equal((await ask(socket, ...event(16_000))).ok, false);
      const lost = once(socket, 'disconnect');
      socket.emit(...event(17_000));
      assert.match((await lost)[0], /^transport/);
      await roundTrip(await connect(podium.url, { token: viewer(), ...options }));
    });
  }
});

describe('a connection that says nothing', { concurrency: true }, () => {
  const openings = { nothing: '', 'one letter': 'P', 'half a request': 'GET / HTTP/1.1\r\nHost: x\r\n' };
  for (const [name, opening] of Object.entries(openings)) {
    it(`is closed: ${name}`, async (t) => {
      const podium = await podiumForTest(t);
      const { hostname, port } = new URL(podium.url);
      const socket = connectTcp({ host: hostname, port: Number(port) });
      await once(socket, 'connect');
      socket.write(opening);
      socket.resume();
      // The runner's own limit fails the test if this never comes.
      await once(socket, 'close');
    });
  }

  it('is closed when its body comes by the byte', async (t) => {
    const podium = await podiumForTest(t);
    const { hostname, port } = new URL(podium.url);
    const socket = connectTcp({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    const authorization = `Authorization: Bearer ${token({ user: randomUUID(), role: 'publisher' })}`;
    const head = ['POST /api/v1/actions HTTP/1.1', 'Host: x', authorization, 'Content-Length: 16000'];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.on('error', () => {});
    socket.resume();
    const dribble = setInterval(() => socket.write(' '), 300);
    t.after(() => clearInterval(dribble));
    await once(socket, 'close');
  });

  it('is closed when it never says who it is', async (t) => {
    const podium = await podiumForTest(t);
    const silent = await openPolling(podium.url);
    while (true) {
      const alive = await silent.read().then(() => true, () => false);
      if (!alive) break;
      const still = await silent.send('3').then(() => true, () => false);
      if (!still) break;
    }
  });
});

describe('a token that ends', () => {
  it('closes its socket, which is told', async (t) => {
    const podium = await podiumForTest(t);
    const user = await player(podium, 'Ada');
    const socket = await connect(podium.url, { token: token({ user, ttlSeconds: 5 }) });
    const gone = once(socket, 'disconnect');
    await nextEvent(socket, 'session_expired');
    assert.equal((await gone)[0], 'io server disconnect');
  });
});

describe('a later token of the same user', () => {
  it('keeps its socket', async (t) => {
    const podium = await podiumForTest(t);
    const user = await player(podium, 'Ada');
    const [renewed, left] = await Promise.all(
      [1, 2].map(() => connect(podium.url, { token: token({ user, ttlSeconds: 5 }) })),
    );
    const answer = await ask(renewed, 'refresh_token', { token: token({ user, ttlSeconds: 60 }) });
    assert.equal(answer.ok, true);
    // Both would have ended at the same moment.
    await nextEvent(left, 'session_expired');
    await roundTrip(renewed);
    assert.deepEqual(received(renewed, 'session_expired'), []);
  });

  it('is none that is not valid, or of another', async (t) => {
    const podium = await podiumForTest(t);
    const [ada, grace] = [await player(podium, 'Ada'), await player(podium, 'Grace')];
    const socket = await connect(podium.url, { token: token({ user: ada }) });
    const refused = async (payload) => (await ask(socket, 'refresh_token', payload)).error.message;
    assert.equal(await refused({ token: token({ user: grace }) }), 'Forbidden');
    assert.equal(await refused({ token: 'forged' }), 'Authentication failed');
    assert.equal(await refused({ token: token({ user: ada, ttlSeconds: -10 }) }), 'Authentication failed');
    assert.equal(await refused('forged'), 'Invalid message format');
    await roundTrip(socket);
  });
});

describe('somebody whom others pass', () => {
  it('hears of the new rank, near the top and far from it', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_BOARD__TOP: '2' } });
    const first = await player(podium, 'First', 100);
    const last = await player(podium, 'Last', 1);
    const climber = await player(podium, 'Climber');
    const other = await player(podium, 'Other', 50);
    const sockets = [];
    for (const user of [first, last, other]) {
      sockets.push(await connect(podium.url, { token: token({ user }) }));
    }
    // When this is told, so is everything before.
    await act(podium.url, { userId: other, scoreIncrease: 1 });
    await nextEvent(sockets[2], 'user_score_update', ({ score }) => score === 51);

    await act(podium.url, { userId: climber, scoreIncrease: 1000 });
    const moved = ({ actionType }) => actionType === 'RANK_CHANGE';
    const expected = [
      [first, 100, 2],
      [last, 1, 4],
    ];
    for (const [i, [userId, score, rank]] of expected.entries()) {
      const update = await nextEvent(sockets[i], 'user_score_update', moved);
      const { timestamp, epoch, seq, ...rest } = update;
      assert.deepEqual(rest, {
        userId,
        score,
        rank,
        actionType: 'RANK_CHANGE',
        scoreIncrease: 0,
        merged: 0,
      });
      assert.equal(seq, (await leaderboard(podium.url)).seq);
    }
  });
});

describe('another page', () => {
  const origin = 'https://game.example';
  it('may connect if it is named, and not otherwise', async (t) => {
    const podium = await podiumForTest(t, { env: { FRONTEND_URLS: `${origin},https://b.example` } });
    const begin = (headers) =>
      fetch(new URL('/socket.io/?EIO=4&transport=polling', podium.url), { headers });
    assert.equal((await begin({ origin })).status, 200);
    assert.equal((await begin({ origin })).headers.get('access-control-allow-origin'), origin);
    assert.equal((await begin({ origin: podium.url })).status, 200);
    assert.equal((await begin({ origin: 'https://evil.example' })).status, 403);
    const upgrade = await connectError(podium.url, {
      token: viewer(),
      extraHeaders: { origin: 'https://evil.example' },
    });
    assert.equal(upgrade, 'websocket error');
  });
});

describe('the end of a server', () => {
  it('is announced, and those who leave are not waited for', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_SHUTDOWN__NOTICE: '30s' } });
    const socket = await connect(podium.url, { token: viewer() });
    const stopped = podium.stop();
    const notice = await nextEvent(socket, 'system_notification');
    assert.equal(notice.type, 'MAINTENANCE');
    assert.equal(notice.severity, 'warning');
    assert.equal(notice.duration, 30_000);
    assert.match(notice.message, /30 seconds/);
    socket.disconnect();
    const { code } = await stopped;
    assert.equal(code, 0);
  });

  it('lets stock clients go by their transports, so that they come back', async (t) => {
    const first = await startPodium({ env: { PODIUM_SHUTDOWN__NOTICE: '3s' } });
    t.after(() => first.kill());
    const sockets = await Promise.all(
      ['websocket', 'polling'].map((transport) =>
        connect(first.url, {
          token: viewer(),
          transports: [transport],
          reconnection: true,
          reconnectionDelay: 100,
          reconnectionDelayMax: 500,
        }),
      ),
    );
    const lost = sockets.map((socket) => once(socket, 'disconnect'));
    const stopped = first.stop();
    for (const [reason] of await Promise.all(lost)) assert.match(reason, /^transport/);
    await stopped;
    const { host } = new URL(first.url);
    const env = { LEPTOS_SITE_ADDR: host };
    const back = sockets.map((socket) => once(socket, 'connect'));
    await podiumForTest(t, { database: first.database, env });
    await Promise.all(back);
  });

  it('turns readiness off while there still is an answer', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_SHUTDOWN__NOTICE: '30s' } });
    assert.equal((await request(podium.url, 'GET', '/readyz')).status, 200);
    // It does not wait for an empty house.
    const guest = await connect(podium.url, { token: viewer() });
    const stopped = podium.stop();
    let answer;
    do answer = await request(podium.url, 'GET', '/readyz');
    while (answer.status === 200);
    assert.equal(answer.status, 503);
    assert.match(answer.body.detail, /about to stop/);
    guest.disconnect();
    assert.equal((await stopped).code, 0);
  });
});
