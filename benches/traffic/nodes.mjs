// What do one, two, three and eight nodes on one Redis do, beside one node on SQLite?
//
//     node benches/traffic/nodes.mjs
//
// Each has a board of 1,000 users. First 300 viewers, spread over the nodes, watch 50
// rows that 100 actions a second change, for 8 s: how long it takes from the answer to
// an action until each viewer has it, whichever node took it. Then, without viewers,
// senders wait for each answer before they send again, for 4 s each: 64 of single
// actions, and 8 of arrays of 100. Redis writes to the disk before it answers
// (appendfsync always), as SQLite does, and then once a second (everysec).
//
// All of it shares this machine with what sends and watches, so that more nodes do not
// bring more processors: what counts is what each costs. It uses PODIUM_BIN, or
// target/release/podium, and redis-server. Needs Linux and about two minutes.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { putUser, startPodium } from '../../end2end/support/podium.mjs';
import { DURABLE, startRedis } from '../../end2end/support/redis.mjs';
import { disconnectAll } from '../../end2end/support/socket.mjs';
import { sendFor } from './senders.mjs';
import { Latencies, actSteadily, watch } from './steady.mjs';
import { inWaves, milliseconds, percentile, printTable, verdict } from './support.mjs';
import { cpuOf } from './usage.mjs';

const USERS = 1000;
const ROWS = 50;
const VIEWERS = 300;
const ACTIONS_PER_SECOND = 100;
const WARM_UP_MS = 1000;
const WATCH_MS = 8000;
const SEND_MS = 4000;
const SINGLE = { senders: 64, batch: 1, milliseconds: SEND_MS };
const ARRAYS = { senders: 8, batch: 100, milliseconds: SEND_MS };

const EVERY_SECOND = { ...DURABLE, appendfsync: 'everysec' };
const SETUPS = [
  { name: 'SQLite, 1 node', nodes: 1 },
  ...[1, 2, 3, 8].map((nodes) => ({ name: `Redis, ${nodes} node${nodes > 1 ? 's' : ''}`, nodes, redis: DURABLE })),
  { name: 'Redis everysec, 3 nodes', nodes: 3, redis: EVERY_SECOND },
];

const problems = [];

/** How long it took until viewers had what was accepted. */
async function latencies(urls, users) {
  const noted = new Latencies();
  const viewers = await inWaves(VIEWERS, 20, (i) => watch(urls[i % urls.length], noted));
  const traffic = actSteadily(urls, users.slice(0, ROWS), ACTIONS_PER_SECOND, noted);
  await sleep(WARM_UP_MS);
  noted.take();
  await sleep(WATCH_MS);
  const sample = noted.take();
  traffic.stop();
  const left = viewers.filter((viewer) => !viewer.connected).length;
  if (left > 0) problems.push(`${left} viewers were disconnected`);
  if (traffic.failures.length > 0) problems.push(`${traffic.failures.length} actions failed`);
  disconnectAll();
  return sample;
}

async function pidOf(redis) {
  return Number(/^process_id:(\d+)/m.exec(await redis.command(['INFO', 'server']))[1]);
}

async function measure({ name, nodes: count, redis: settings }) {
  const redis = settings && (await startRedis(settings));
  const env = { PODIUM_BOARD__TOP: String(ROWS) };
  const start = () => startPodium({ redis: redis?.address(), env });
  const nodes = await Promise.all(Array.from({ length: count }, start));
  const urls = nodes.map(({ url }) => url);
  try {
    const users = Array.from({ length: USERS }, () => randomUUID());
    await inWaves(USERS, 20, (i) => putUser(urls[0], users[i], `Player ${i}`));
    const sample = await latencies(urls, users);
    const cells = [0.5, 0.99].map((share) => milliseconds(percentile(sample, share)));

    for (const how of [SINGLE, ARRAYS]) {
      const pids = nodes.map(({ process }) => process.pid);
      const store = await cpuOf(redis ? [await pidOf(redis)] : [], () =>
        cpuOf(pids, () => sendFor(urls, { users, ...how })),
      );
      const { acknowledged, took } = store.result.result;
      const each = (used) => `${((used / acknowledged) * 1000).toFixed(0)} µs`;
      const rate = Math.round((acknowledged / took) * 1000);
      cells.push(rate.toLocaleString('en'), each(store.result.used), redis && each(store.used));
    }
    return [name, ...cells];
  } finally {
    disconnectAll();
    await Promise.all(nodes.map((node) => node.kill()));
    await redis?.kill();
  }
}

const rows = [];
for (const setup of SETUPS) rows.push(await measure(setup));

console.log(`accepted → received: ${VIEWERS} viewers, ${ACTIONS_PER_SECOND} actions a second`);
console.log('singles: 64 senders; arrays: 8 senders of 100. CPU is by action, of all nodes');
const kinds = ['singles', 'arrays'].flatMap((kind) => [`${kind} /s`, 'CPU', 'CPU of Redis']);
printTable([['', 'p50', 'p99', ...kinds], ...rows]);
verdict(problems);
