// An attack on a server that somebody else uses meanwhile: what it must not do to
// them, nor to the memory of the server.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { act, leaderboard, newUser, token } from './podium.mjs';
import { memoryFalls, rss, watchMemory } from './memory.mjs';
import { openAfter } from './raw.mjs';
import { connect, nextEvent } from './socket.mjs';
import { podiumForTest } from './suite.mjs';

/** From here attackers come. It is no exception to the limits, as this machine else is. */
export const ATTACKER = '127.0.0.2';
const FREE = '127.0.0.1';

const MB = 1e6;
/** What pages of the kernel and of the allocator may vary by. */
const SLACK_BYTES = 8 * MB;
const PEAK_BYTES = 64 * MB;
const RETURNS_WITHIN_MS = 20_000;
/** As long as a server that is attacked may take to close a connection. */
const CLOSES_WITHIN_MS = 10_000;

/** So many points that the row is the first on any board. */
const LEAD = 1_000_000_000;

/**
 * Runs `attack` on a server of its own, whose board an honest viewer watches, and who
 * must get each update, all the while and afterwards. Meanwhile the server holds at most so many
 * bytes more than before, and in the end not more than a tenth more.
 *
 * `attack` is called with the server, and with `refused(connections)`, which waits until
 * the server has closed these; with `updates(count)`, which waits until the viewer has
 * got so many more; and with `problem(text)`, which notes that something was not as it
 * should be. All problems are reported together.
 *
 * @param {object} t the context of the test
 * @param {object} options as of `startPodium`
 * @param {number} [options.peakBytes]
 * @param {(scene: object) => Promise<void>} attack
 */
export async function underAttack(t, { env, peakBytes = PEAK_BYTES, ...options }, attack) {
  const podium = await podiumForTest(t, { env: { PODIUM_LIMITS__ALLOW: FREE, ...env }, ...options });
  const { pid } = podium.process;
  const problems = [];
  const problem = (text) => problems.push(text);
  const refused = async (connections) => {
    const open = await openAfter(connections, CLOSES_WITHIN_MS);
    if (open > 0) problem(`${open} of ${connections.length} connections were not closed`);
    for (const connection of connections) connection.drop();
  };

  const viewer = await honestViewer(podium);
  await warmUp(podium);
  const before = rss(pid);
  const memory = watchMemory(pid);
  const updates = async (count) => {
    for (const last = viewer.updates() + count; viewer.updates() < last && !failed; ) await sleep(20);
  };
  let over = false;
  let failed = false;
  const served = (async () => {
    do await viewer.update();
    while (!over);
  })().catch((error) => {
    failed = true;
    problem(`the viewer: ${inWords(error)}`);
  });

  try {
    await attack({ podium, problem, refused, updates });
  } finally {
    over = true;
    await served;
    memory.stop();
  }
  // Who is served while the attack lasts is served after it.
  await viewer.update().catch((error) => problem(`the viewer, after it: ${inWords(error)}`));
  if (!viewer.isConnected()) problem('the viewer was disconnected');

  const more = memory.peak - before;
  if (more > peakBytes) problem(`memory rose by ${megabytes(more)}, not ${megabytes(peakBytes)}`);
  const ended = performance.now();
  if (!(await memoryFalls(pid, before * 1.1 + SLACK_BYTES, RETURNS_WITHIN_MS))) {
    problem(`of ${megabytes(rss(pid))} not all was given back; before it were ${megabytes(before)}`);
  }
  const took = ((performance.now() - ended) / 1000).toFixed(1);
  t.diagnostic(
    `memory ${megabytes(before)}, at most ${megabytes(memory.peak)}, back after ${took} s; ` +
      `slowest update ${viewer.slowest().toFixed(0)} ms`,
  );
  assert.deepEqual(problems, []);
}

/** `fetch` says that it failed, and why in a cause of its own. */
const inWords = ({ message, cause }) => `${message.slice(0, 300)} ${cause ?? ''}`.trim();

const megabytes = (bytes) => `${(bytes / MB).toFixed(1)} MB`;

/** Somebody who watches a board, with the official client. */
export async function honestViewer(podium, options = {}) {
  const userId = await newUser(podium, 'Ada');
  await act(podium.url, { userId, scoreIncrease: LEAD });
  const credentials = token({ user: randomUUID(), role: 'viewer' });
  const socket = await connect(podium.url, { token: credentials, ...options });
  socket.emit('subscribe_scoreboard');
  await nextEvent(socket, 'leaderboard_refresh');
  let slowest = 0;
  let updates = 0;
  return {
    /** Changes the board, and waits until that is seen. */
    async update() {
      const began = performance.now();
      const { score } = await act(podium.url, { userId, scoreIncrease: 1 });
      const isNew = ({ topScores }) => topScores[0].score >= score;
      await nextEvent(socket, 'leaderboard_refresh', isNew);
      slowest = Math.max(slowest, performance.now() - began);
      updates += 1;
    },
    updates: () => updates,
    isConnected: () => socket.connected,
    slowest: () => slowest,
  };
}

/** Has the server take what memory it takes once and for all. */
async function warmUp(podium) {
  const sockets = await Promise.all(
    Array.from({ length: 20 }, () =>
      connect(podium.url, { token: token({ user: randomUUID(), role: 'viewer' }) }),
    ),
  );
  for (const socket of sockets) {
    socket.emit('subscribe_scoreboard');
    await nextEvent(socket, 'leaderboard_refresh');
    socket.disconnect();
  }
  for (let i = 0; i < 20; i++) await leaderboard(podium.url);
}
