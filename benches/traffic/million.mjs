// How long does a node take to start with a million users, and what does Redis keep?
//
//     node benches/traffic/million.mjs
//
// Imports a million users into an empty Redis and starts a node three times; the same with
// SQLite. Then, in Redis, 200,000 actions of one user and 20,000 of as many, and asks
// Redis what of that takes how much memory. It uses PODIUM_BIN, or target/release/podium,
// and redis-server. Needs 2 GB of memory and about two minutes.

import { randomUUID } from 'node:crypto';

import { rss } from '../../end2end/support/memory.mjs';
import { actAll, importedDatabase, startPodium } from '../../end2end/support/podium.mjs';
import { startRedis } from '../../end2end/support/redis.mjs';
import { printTable, seconds } from './support.mjs';

const USERS = 1_000_000;
const STARTS = 3;
const OF_ONE = 100_000;
const OF_MANY = 20_000;
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
const ask = (...words) => redis.command(words);
const sizeOf = async (key) => Number(await ask('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
const usedMemory = async () => Number(/^used_memory:(\d+)/m.exec(await ask('INFO', 'memory'))[1]);

/** Of the first key that matches: how many elements, and how much memory. */
async function listLike(pattern) {
  const script = `
    local key = redis.call('KEYS', ARGV[1])[1]
    return { redis.call('LLEN', key), redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) }`;
  return (await ask('EVAL', script, '0', pattern)).split('\n').map(Number);
}

/** So many actions of these users in turn. */
async function act(url, count, some) {
  for (let from = 0; from < count; from += BATCH) {
    const actions = Array.from({ length: BATCH }, (_, i) => {
      return { userId: some[(from + i) % some.length], scoreIncrease: 10 };
    });
    await actAll(url, actions);
  }
}

try {
  const empty = await usedMemory();
  const store = redis.address();
  const fillRedis = async () => {
    await importedDatabase(lines, { PODIUM_STORE__URL: store });
    return { redis: store };
  };
  const fillFile = async () => ({ database: await importedDatabase(lines) });
  printTable([
    [`${USERS} users`, 'import', `until ready, ${STARTS} times`, 'memory of the node'],
    await starts('Redis', fillRedis),
    await starts('SQLite', fillFile),
  ]);

  const filled = await usedMemory();
  const each = (bytes, count) => `${Math.round(bytes / count)} bytes`;
  const [usersKey, log] = ['podium:{main}:users', 'podium:{main}:log'];
  const registered = Number(await ask('XLEN', log));
  const rows = [
    ['in Redis', 'how many', 'each'],
    ['users', USERS, each(await sizeOf(usersKey), USERS)],
    ['entries that register a user', registered, each(await sizeOf(log), registered)],
    ['all of that', '', `${((filled - empty) / 1e6).toFixed(0)} MB`],
  ];
  const podium = await startPodium({ redis: store });
  try {
    // Then the log is as long as it gets, and so is the history.
    const one = users.slice(-1);
    await act(podium.url, OF_ONE, one);
    const full = await usedMemory();
    await act(podium.url, OF_ONE, one);
    const before = await usedMemory();
    rows.push(['remembered actions', OF_ONE, each(before - full, OF_ONE)]);
    const [points, size] = await listLike('podium:{main}:history:*');
    rows.push(['points of one long history', points, each(size, points)]);
    await act(podium.url, OF_MANY, users.slice(0, OF_MANY));
    // Ranks are written by the end at the latest.
    await podium.stop();
    const after = await usedMemory();
    const entries = Number(await ask('XLEN', log));
    rows.push(
      ['entries of actions', entries, each(await sizeOf(log), entries)],
      ['first actions: remembered, and a history of one point', OF_MANY, each(after - before, OF_MANY)],
    );
  } finally {
    await podium.kill();
  }
  printTable(rows);
} finally {
  await redis.kill();
}
