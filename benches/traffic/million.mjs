// How long does a node take to start with a million users, and what does Redis keep?
//
//     node benches/traffic/million.mjs
//
// Imports a million users into an empty Redis and starts a node three times; the same with
// SQLite. Then, in Redis, 20,000 actions of as many users and 10,000 of one, and asks
// Redis what of that takes how much memory. It uses PODIUM_BIN, or target/release/podium,
// and redis-server. Needs 2 GB of memory and about two minutes.

import { randomUUID } from 'node:crypto';

import { actAll, importedDatabase, startPodium } from '../../end2end/support/podium.mjs';
import { startRedis } from '../../end2end/support/redis.mjs';
import { printTable, seconds } from './support.mjs';
import { rss } from './usage.mjs';

const USERS = 1_000_000;
const STARTS = 3;
const ACTIONS = 20_000;
const OF_ONE = 10_000;
const BATCH = 1000;

const users = Array.from({ length: USERS }, () => randomUUID());
const lines = users.map((userId, i) => ({ userId, username: `Player ${i}` }));

/** Fills a board and starts a node on it again and again. */
async function starts(name, fill) {
  const began = performance.now();
  const options = await fill();
  const filled = performance.now() - began;
  const times = [];
  let memory;
  for (let i = 0; i < STARTS; i++) {
    const began = performance.now();
    const podium = await startPodium(options);
    times.push(performance.now() - began);
    memory = rss(podium.process.pid);
    await podium.kill();
  }
  return [name, seconds(filled), times.map(seconds).join(', '), `${(memory / 1e6).toFixed(0)} MB`];
}

const redis = await startRedis();
const command = async (...words) => Number(await redis.command(words));
const sizeOf = (key) => command('MEMORY', 'USAGE', key, 'SAMPLES', '0');
const usedMemory = async () =>
  Number(/^used_memory:(\d+)/m.exec(await redis.command(['INFO', 'memory']))[1]);

/** `count` actions of these users in turn. */
async function act(url, count, some) {
  const actions = Array.from({ length: BATCH }, (_, i) => i);
  for (let from = 0; from < count; from += BATCH) {
    await actAll(
      url,
      actions.map((i) => ({ userId: some[(from + i) % some.length], scoreIncrease: 10 })),
    );
  }
}

async function memory() {
  const empty = await usedMemory();
  const store = redis.address();
  const table = [
    ['', 'import', `${STARTS} starts`, 'memory of the node'],
    await starts('Redis', async () => {
      await importedDatabase(lines, { PODIUM_STORE__URL: store });
      return { redis: store };
    }),
    await starts('SQLite', async () => ({ database: await importedDatabase(lines) })),
  ];
  printTable(table);

  const filled = await usedMemory();
  const each = (bytes, count) => `${Math.round(bytes / count)} bytes`;
  const log = 'podium:{main}:log';
  const entries = await command('XLEN', log);
  const rows = [
    ['what', 'how many', 'each'],
    ['a user', USERS, each(await sizeOf('podium:{main}:users'), USERS)],
    ['an entry that registers a user', entries, each(await sizeOf(log), entries)],
    ['all of this board', `${((filled - empty) / 1e6).toFixed(0)} MB`, undefined],
  ];
  const podium = await startPodium({ redis: store });
  try {
    // Now the log has as many entries as it keeps, and all that grows is what follows.
    await act(podium.url, 100_000, users.slice(-1));
    const before = await usedMemory();
    await act(podium.url, ACTIONS, users.slice(0, ACTIONS));
    await podium.kill();
    const after = await usedMemory();
    const id = (await redis.command(['SCAN', '0', 'MATCH', 'podium:{main}:action:*', 'COUNT', '10000']))
      .split('\n')
      .find((key) => key.startsWith('podium:'));
    const kept = await command('XLEN', log);
    rows.push(
      ['an entry of an action', kept, each(await sizeOf(log), kept)],
      ['a remembered action, its key alone', 1, each(await sizeOf(id), 1)],
      ['a first action: remembered, and a history of one point', ACTIONS, each(after - before, ACTIONS)],
    );
  } finally {
    await podium.kill();
  }
  printTable(rows);
}

try {
  await memory();
} finally {
  await redis.kill();
}
