// What does a viewer cost a node: memory, processor time and bandwidth?
//
//     node benches/traffic/viewers.mjs
//
// First viewers who watch a board on which nothing happens: 1,000, then 5,000. Then
// 1,000 who watch 10 or 50 rows, in full or as changes (mode delta), while ten times a
// second 1 or 10 scores change, or whoever is last takes first place and moves everybody:
// how many bytes a tick brings each of them, with the frames of WebSocket, and what
// processor time of the node one viewer's tick takes, beside that of the same actions
// without viewers. It uses PODIUM_BIN, or
// target/release/podium. Needs Linux, 6,000 file descriptors and about three minutes.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { rss } from '../../end2end/support/memory.mjs';
import { actAll, putUser, startPodium, token } from '../../end2end/support/podium.mjs';
import { connect, disconnectAll } from '../../end2end/support/socket.mjs';
import { inWaves, printTable, verdict } from './support.mjs';
import { cpuOf } from './usage.mjs';

const IDLE = [1000, 5000];
const SETTLED_MS = 3000;

const VIEWERS = 1000;
const AT_ONCE = 50;
const ROWS = [10, 50];
/** Between two players, so that they do not overtake each other by a few points. */
const APART = 1_000_000;
const SCENES = {
  '1 score': { changes: 1, increase: () => 10 },
  '10 scores': { changes: 10, increase: () => 10 },
  'last to first': { changes: 1, increase: (rows) => rows * APART },
};
const MODES = { full: 'leaderboard_refresh', delta: 'scoreboard_delta' };
const TICK_MS = 100;
const WARM_UP_MS = 1000;
const WATCH_MS = 5000;

const problems = [];

async function watch(url, mode) {
  const viewer = token({ user: randomUUID(), role: 'viewer' });
  const socket = await connect(url, { token: viewer });
  // What the harness keeps for tests would only grow here.
  socket.offAny();
  const first = new Promise((resolve) => socket.once('leaderboard_refresh', resolve));
  socket.emit('subscribe_scoreboard', { mode });
  await first;
  return socket;
}

async function memory() {
  const podium = await startPodium();
  const { pid } = podium.process;
  try {
    await putUser(podium.url, randomUUID(), 'Ada');
    await sleep(SETTLED_MS);
    const empty = rss(pid);
    const rows = [['idle viewers', 'memory', 'each'], [0, megabytes(empty), undefined]];
    let connected = 0;
    for (const count of IDLE) {
      await inWaves(count - connected, AT_ONCE, () => watch(podium.url));
      connected = count;
      await sleep(SETTLED_MS);
      const now = rss(pid);
      rows.push([count, megabytes(now), `${((now - empty) / count / 1000).toFixed(1)} kB`]);
    }
    printTable(rows);
  } finally {
    disconnectAll();
    await podium.kill();
  }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Lets the scene happen with each tick; resolves to what the node took for a while. */
async function act(podium, players, { changes, increase }, run) {
  const timer = setInterval(() => {
    // The last comes next, and is then the first.
    const some = Array.from({ length: changes }, () => players.pop());
    players.unshift(...some.toReversed());
    const actions = some.map((userId) => ({ userId, scoreIncrease: increase(players.length) }));
    actAll(podium.url, actions).catch((error) => problems.push(error.message));
  }, TICK_MS);
  try {
    await sleep(WARM_UP_MS);
    return await cpuOf([podium.process.pid], run);
  } finally {
    clearInterval(timer);
  }
}

/** The bytes that these sockets have received. */
function bytes(sockets) {
  const read = (socket) => socket.io.engine.transport.ws._socket.bytesRead;
  return sockets.reduce((sum, socket) => sum + read(socket), 0);
}

async function cost(rows, name, scene) {
  const podium = await startPodium({ env: { PODIUM_BOARD__TOP: String(rows) } });
  try {
    const players = Array.from({ length: rows }, () => randomUUID());
    await inWaves(rows, 10, (i) => putUser(podium.url, players[i], `Player ${i}`));
    const places = players.map((userId, i) => ({ userId, scoreIncrease: (rows - i) * APART }));
    await actAll(podium.url, places);
    const alone = await act(podium, players, scene, () => sleep(WATCH_MS));
    const lines = [];
    for (const [mode, event] of Object.entries(MODES)) {
      const sockets = await inWaves(VIEWERS, AT_ONCE, () => watch(podium.url, mode));
      let deliveries = 0;
      for (const socket of sockets) socket.on(event, () => (deliveries += 1));
      const watched = await act(podium, players, scene, async () => {
        const before = [deliveries, bytes(sockets)];
        await sleep(WATCH_MS);
        return { ticks: deliveries - before[0], bytes: bytes(sockets) - before[1] };
      });
      const { ticks, bytes: received } = watched.result;
      const perSecond = ticks / VIEWERS / (WATCH_MS / 1000);
      lines.push([
        ...[rows, name, mode],
        perSecond.toFixed(1),
        Math.round(received / ticks).toLocaleString('en'),
        `${((received / VIEWERS / WATCH_MS) * 8).toFixed(0)} kbit/s`,
        `${(((watched.used - alone.used) / ticks) * 1000).toFixed(1)} µs`,
      ]);
      const left = sockets.filter((socket) => !socket.connected).length;
      if (left > 0) problems.push(`${left} viewers were disconnected`);
      disconnectAll();
    }
    return lines;
  } finally {
    disconnectAll();
    await podium.kill();
  }
}

await memory();
const lines = [];
for (const rows of ROWS) {
  for (const [name, scene] of Object.entries(SCENES)) lines.push(...(await cost(rows, name, scene)));
}
console.log(`each of ${VIEWERS} viewers:`);
const heads = ['rows', 'what changes', 'mode', 'ticks /s', 'bytes a tick', 'bandwidth', 'CPU a tick'];
printTable([heads, ...lines]);
verdict(problems);
