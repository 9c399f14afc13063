// A client that reads slowly, or not at all, among others: it pays alone. They are sent
// what they would be sent without it, it gets the newest when it reads, and who takes
// nothing is closed in the end.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { act, importedDatabase, leaderboard, token } from './support/podium.mjs';
import { openPolling } from './support/polling.mjs';
import { connect, nextEvent, received } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';

const ROWS = 200;
const WATCHERS = 20;
/** Each is a tick of its own, because it is waited for. */
const TICKS = 120;
/** For who polls: a session that takes nothing for 30 s is closed, however slow all are. */
const TICKS_OF_POLLING = 40;

const viewer = () => token({ user: randomUUID(), role: 'viewer' });
const users = Array.from({ length: ROWS + 20 }, () => randomUUID());

/** A server whose visible board has 200 rows with long names. */
async function largeBoard(t, env = {}) {
  const settings = { PODIUM_BOARD__TOP: String(ROWS), ...env };
  const lines = users.flatMap((userId, i) => [
    { userId, username: `Player ${i} ${'x'.repeat(40)}` },
    { actionId: `first ${i}`, userId, actionType: 'goal', scoreIncrease: 10_000 - i },
  ]);
  const database = await importedDatabase(lines, settings);
  return podiumForTest(t, { env: settings, database });
}

/** Watchers, half of them of all rows and half of changes, who read at once. */
async function watchers(url) {
  const sockets = [];
  for (let i = 0; i < WATCHERS; i++) {
    const socket = await connect(url, { token: viewer() });
    socket.emit('subscribe_scoreboard', ...(i % 2 === 0 ? [] : [{ mode: 'delta' }]));
    await nextEvent(socket, 'leaderboard_refresh');
    sockets.push(socket);
  }
  return sockets;
}

/** The frames that a socket was sent after its first: what each leads to. */
function frames(socket) {
  const full = received(socket, 'leaderboard_refresh').slice(1);
  const deltas = received(socket, 'scoreboard_delta');
  return [...full.map(({ seq }) => seq), ...deltas.map(({ to }) => to)];
}

/** A tick: one action, and everybody has seen it. */
async function tick(podium, sockets, i) {
  const userId = users[i % users.length];
  const { seq } = await act(podium.url, { userId, scoreIncrease: 1 });
  await Promise.all(
    sockets.map((socket, who) =>
      who % 2 === 0
        ? nextEvent(socket, 'leaderboard_refresh', (data) => data.seq >= seq)
        : nextEvent(socket, 'scoreboard_delta', ({ to }) => to >= seq),
    ),
  );
  return seq;
}

/** Lets somebody not read while so many ticks go by; answers what others were sent. */
async function watchBeside(podium, ticks) {
  const sockets = await watchers(podium.url);
  const seqs = [];
  for (let i = 0; i < ticks; i++) seqs.push(await tick(podium, sockets, i));
  return { seqs, sent: sockets.map(frames), sockets };
}

/** A WebSocket of the official client that can be kept from reading. */
async function slowReader(url) {
  const socket = await connect(url, { token: viewer() });
  const { ws } = socket.io.engine.transport;
  socket.emit('subscribe_scoreboard');
  await nextEvent(socket, 'leaderboard_refresh');
  return { socket, ws };
}

function assertEachOnce({ seqs, sent }) {
  for (const [who, frames] of sent.entries()) {
    assert.equal(new Set(frames).size, frames.length, `watcher ${who} got a frame twice`);
    assert.deepEqual(frames, seqs, `watcher ${who} got what there was, and nothing else`);
  }
}

describe('a client that does not read', () => {
  it('costs others nothing, and gets the newest when it reads again, or was closed', async (t) => {
    const podium = await largeBoard(t);
    const { socket, ws } = await slowReader(podium.url);
    ws.pause();
    assertEachOnce(await watchBeside(podium, TICKS));
    const gone = new Promise((resolve) => socket.once('disconnect', resolve));
    ws.resume();
    const newest = await leaderboard(podium.url, `?limit=${ROWS}`);
    // The kernel gives up a peer that has acknowledged nothing for ten seconds.
    const isNewest = ({ seq }) => seq >= newest.seq;
    await Promise.race([gone, nextEvent(socket, 'leaderboard_refresh', isNewest)]);
    const seqs = received(socket, 'leaderboard_refresh').map((data) => data.seq);
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b), 'no step back');
  });

  it('costs others nothing at 80 kB a second either', async (t) => {
    const podium = await largeBoard(t);
    const { ws } = await slowReader(podium.url);
    const stream = ws._socket;
    let budget = 8000;
    // It stops whenever it has read its share of a tenth of a second.
    stream.on('data', (bytes) => {
      budget -= bytes.length;
      if (budget <= 0) ws.pause();
    });
    const share = setInterval(() => {
      budget = Math.min(8000, budget + 8000);
      if (budget > 0) ws.resume();
    }, 100);
    t.after(() => clearInterval(share));
    assertEachOnce(await watchBeside(podium, TICKS));
  });

  it('costs others nothing by polling', async (t) => {
    const podium = await largeBoard(t, { PODIUM_LIMITS__EVENTS_PER_MINUTE: '10000' });
    const slow = await openPolling(podium.url);
    await slow.connect(viewer());
    await slow.emit('subscribe_scoreboard');
    // What it asks for and does not read fills more than there is room for.
    for (let i = 0; i < 40; i++) await slow.send(...Array(5).fill('42["subscribe_scoreboard"]'));
    const { seqs, sent } = await watchBeside(podium, TICKS_OF_POLLING);
    assertEachOnce({ seqs, sent });
    let board;
    let bytes = 0;
    while (board?.seq !== seqs.at(-1)) {
      for (const [name, payload] of await slow.read()) {
        bytes += JSON.stringify(payload).length;
        if (name !== 'leaderboard_refresh') continue;
        assert.ok(payload.seq >= (board?.seq ?? 0), 'no step back');
        board = payload;
      }
    }
    assert.deepEqual(board, await leaderboard(podium.url, `?limit=${ROWS}`));
    assert.ok(bytes < 600_000, `${bytes} bytes had waited for it`);
  });
});

describe('the transport of a socket that has left', () => {
  const closed = (ws) => new Promise((resolve) => ws.on('close', resolve));

  it('ends after the session has, of which its client is told first', async (t) => {
    const podium = await podiumForTest(t);
    const socket = await connect(podium.url, {
      token: token({ user: randomUUID(), role: 'viewer', ttlSeconds: 5 }),
    });
    const { ws } = socket.io.engine.transport;
    const ended = closed(ws);
    // The official client would close it by itself.
    socket.io.engine.close = () => {};
    const reason = new Promise((resolve) => socket.once('disconnect', resolve));
    assert.deepEqual(await nextEvent(socket, 'session_expired'), { message: 'The token has expired' });
    assert.equal(await reason, 'io server disconnect');
    await ended;
  });

  it('ends after a client has said that it leaves', async (t) => {
    const podium = await podiumForTest(t);
    const socket = await connect(podium.url, { token: viewer() });
    const { ws } = socket.io.engine.transport;
    const ended = closed(ws);
    ws.send('41');
    await ended;
  });
});

describe('a flooder that does not read', () => {
  it('is closed', async (t) => {
    const podium = await podiumForTest(t);
    const socket = await connect(podium.url, { token: viewer() });
    const { ws } = socket.io.engine.transport;
    const ended = new Promise((resolve) => ws.on('close', resolve));
    ws.pause();
    for (let i = 0; i < 200; i++) ws.send('42["ping"]');
    // What it did not read is there; then comes the end.
    setTimeout(() => ws.resume(), 3000);
    await ended;
  });
});
