// What do attacks cost the others, and does the server recover?
//
//     node benches/traffic/attacks.mjs [ATTACK …]
//
// For each attack, or those that are named: a server of its own, 50 viewers, and 20
// actions a second that all of them see. How long it takes from the answer to an action
// until each viewer has it is measured for 5 s in peace, then while the attackers of
// attackers.mjs do their worst from another address, for 8 s, or 25 s where it takes that
// long. Four times a second somebody from a third address asks for what the attack may
// keep from others. For 20 s more it is noted when memory is back within a tenth, and
// p99 within twice. Attacks by plain requests are rehearsed for 3 s before that, so that
// memory is compared with what it is when each part of the program has been used once; for
// the others 8 MB are allowed on top, because a rehearsal would use up what an address may
// do in a minute. It uses PODIUM_BIN, or target/release/podium, and ends an attack
// early when the server holds 6 GB. Needs Linux, 3,000 file descriptors and half a
// minute for each attack.

import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { rss } from '../../end2end/support/memory.mjs';
import { importedDatabase, startPodium } from '../../end2end/support/podium.mjs';
import { statusOf } from '../../end2end/support/raw.mjs';
import { disconnectAll } from '../../end2end/support/socket.mjs';
import { Latencies, actSteadily, watch } from './steady.mjs';
import { inWaves, milliseconds, percentile, printTable, seconds, verdict } from './support.mjs';

const VIEWERS = 50;
const ROWS = 50;
const ACTIONS_PER_SECOND = 20;
const WARM_UP_MS = 2000;
const PEACE_MS = 5000;
const WAR_MS = 8000;
const AFTER_MS = 20_000;
const REHEARSAL_MS = 3000;
const WINDOW_MS = 1000;
const SAMPLE_EVERY_MS = 50;
const PROBE_EVERY_MS = 250;
const PROBE_WITHIN_MS = 3000;

const TOO_MUCH_BYTES = 6e9;
const RATIO_ALLOWED = 2;
const WAL_BYTES = 64e6;
/** What a program takes when its parts are used for the first time. */
const FIRST_USE_BYTES = 8e6;

const HUB = '/socket.io/?EIO=4&transport=polling';
const ATTACKER = '127.0.0.2';
const SOMEBODY = '127.0.0.20';

/** As many more users as a large board has. */
function* crowd(count) {
  for (let i = 0; i < count; i++) yield { userId: randomUUID(), username: `Ada Player ${i}` };
}

/** Somebody who has done this much. */
function* diligent(userId, actions) {
  yield { userId, username: 'Busy' };
  for (let i = 0; i < actions; i++) {
    yield { actionId: `busy ${i}`, userId, actionType: 'test', scoreIncrease: 1 };
  }
}

const BUSY = randomUUID();

/**
 * - `env`: settings of the server, and `openFiles` as of `startPodium`.
 * - `lines`: who is on the board beside those whom viewers see.
 * - `needs`: what the attackers must know.
 * - `view`: what viewers subscribe to.
 * - `lasts`: how many milliseconds the attack goes on.
 * - `remembers`: its memory is not to be what it was before.
 * - `rehearsed`: it is tried before it is measured.
 * - `probe`: the path that somebody asks for, and from which address.
 */
const flood = {};
const pages = { rehearsed: true, probe: { path: () => '/' } };
const scenarios = {
  'histories beside actions': {
    lasts: 25_000,
    // The ids of actions are remembered.
    remembers: true,
    // Who has done much takes long to read.
    lines: () => crowd(20),
    needs: (users) => ({ users }),
    probe: { path: (users) => `/api/v1/users/${users[0]}/history` },
  },
  // The kernel's own buffers, of megabytes, must be full before anybody is slow.
  'slow readers': { lasts: 25_000, env: { PODIUM_BOARD__TOP: '1000' }, lines: () => crowd(950) },
  CONNECT: flood,
  'CONNECT with a payload': flood,
  'CONNECT to other namespaces': flood,
  'CONNECT by polling': flood,
  acknowledgements: flood,
  'binary attachments': flood,
  leaving: flood,
  pongs: flood,
  'pings of WebSocket': flood,
  'open files': { openFiles: '1024:', probe: { path: () => '/healthz' } },
  'pictures of another site': { probe: { path: () => HUB, localAddress: ATTACKER } },
  'large heads': flood,
  upgrades: flood,
  'pipelined pages': pages,
  'pipelined boards': pages,
  'pipelined files': pages,
  'pages that nobody reads': {
    ...pages,
    lasts: 25_000,
    env: { PODIUM_BOARD__TOP: '1000' },
    lines: () => crowd(950),
  },
  searches: {
    lines: () => crowd(120_000),
    probe: { path: () => '/api/v1/users?q=ada' },
  },
  'long histories': {
    lines: () => diligent(BUSY, 250_000),
    needs: () => ({ busy: BUSY }),
    probe: { path: (users) => `/api/v1/users/${users[0]}/history` },
  },
  'boards that nobody takes': {
    env: { PODIUM_BOARD__TOP: '1000' },
    lines: () => crowd(950),
    view: { page: 0 },
  },
};

function startAttack(name, url, needs) {
  const file = fileURLToPath(new URL('attackers.mjs', import.meta.url));
  const child = fork(file, [name, url, JSON.stringify(needs)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return () => {
    process.off('exit', kill);
    kill();
  };
}

/** The size of a file, which may not be there yet. */
const sizeOf = (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** Asks as somebody else would, until it is stopped: how often, how often in vain, and how long it took. */
function probe(url, path, localAddress) {
  const counts = { asked: 0, refused: 0, times: [] };
  const ask = async () => {
    counts.asked += 1;
    const began = performance.now();
    const answer = statusOf(url, 'GET', path, [], { localAddress }).catch(() => 'none');
    // Whoever waits longer gives up.
    if ((await Promise.race([answer, sleep(PROBE_WITHIN_MS)])) !== 200) counts.refused += 1;
    counts.times.push(performance.now() - began);
  };
  const timer = setInterval(ask, PROBE_EVERY_MS);
  return { counts, stop: () => clearInterval(timer) };
}

async function run(name) {
  const scenario = { lasts: WAR_MS, env: {}, lines: () => [], needs: () => ({}), ...scenarios[name] };
  const { lasts, remembers, rehearsed, env, openFiles, lines, needs, view, probe: asks } = scenario;
  const settings = { PODIUM_BOARD__TOP: String(ROWS), PODIUM_LIMITS__ALLOW: '127.0.0.1', ...env };
  const visible = Array.from({ length: ROWS }, () => randomUUID());
  const more = [...lines()];
  const registered = visible.map((userId, i) => ({ userId, username: `Player ${i}` }));
  const scored = visible.map((userId, i) => ({
    ...{ actionId: `first ${i}`, userId, actionType: 'test' },
    scoreIncrease: 1_000_000_000 + i,
  }));
  const database = await importedDatabase([...registered, ...more, ...scored], settings);
  const podium = await startPodium({ env: settings, database, openFiles });
  const { pid } = podium.process;
  let stop = () => {};
  try {
    const latencies = new Latencies();
    const viewers = await inWaves(VIEWERS, 10, () => watch(podium.url, latencies, view));
    const traffic = actSteadily([podium.url], visible, ACTIONS_PER_SECOND, latencies);
    const users = more.length > 0 ? more.slice(0, 1000).map(({ userId }) => userId) : visible;
    const attack = () => startAttack(name, podium.url, needs(users));
    if (rehearsed) {
      stop = attack();
      await sleep(REHEARSAL_MS);
      stop();
      await sleep(AFTER_MS);
    }
    await sleep(WARM_UP_MS);
    latencies.take();
    await sleep(PEACE_MS);
    const peace = latencies.take();
    const before = rss(pid);
    const isBack = (bytes) => bytes <= before * 1.1 + (rehearsed ? 0 : FIRST_USE_BYTES);

    const somebody = probe(
      podium.url,
      asks?.path(visible) ?? HUB,
      asks?.localAddress ?? SOMEBODY,
    );
    stop = attack();
    let peak = before;
    let wal = 0;
    let wasStopped = false;
    const began = performance.now();
    while (performance.now() - began < lasts && !wasStopped) {
      await sleep(SAMPLE_EVERY_MS);
      peak = Math.max(peak, rss(pid));
      wal = Math.max(wal, sizeOf(`${database}-wal`));
      wasStopped = peak > TOO_MUCH_BYTES;
    }
    stop();
    somebody.stop();
    const ended = performance.now();
    // What was late in the end belongs to the attack.
    await sleep(WINDOW_MS);
    const war = latencies.take();

    const p99 = percentile(peace, 0.99);
    let memoryBack;
    let latencyBack;
    while (performance.now() - ended < AFTER_MS) {
      await sleep(WINDOW_MS);
      const window = latencies.take();
      const now = performance.now() - ended;
      if (percentile(window, 0.99) <= RATIO_ALLOWED * p99) latencyBack ??= now;
      if (isBack(rss(pid))) memoryBack ??= now;
    }
    const after = rss(pid);
    traffic.stop();

    const lost = viewers.filter((viewer) => !viewer.connected).length;
    const { asked, refused, times } = somebody.counts;
    const ratio = percentile(war, 0.99) / p99;
    const problems = [];
    if (!(ratio <= RATIO_ALLOWED)) problems.push(`p99 × ${ratio.toFixed(1)}`);
    if (!remembers && !isBack(after)) problems.push('memory is not given back');
    if (wal > WAL_BYTES) problems.push('the WAL grows');
    if (refused > 0) problems.push('others are refused');
    if (lost > 0) problems.push(`${lost} viewers were disconnected`);
    if (traffic.failures.length > 0) problems.push(`${traffic.failures.length} actions failed`);
    const line = [
      wasStopped ? `${name} (stopped)` : name,
      ...[0.5, 0.99].map((share) => milliseconds(percentile(peace, share))),
      ...[0.5, 0.99].map((share) => milliseconds(percentile(war, share))),
      `× ${ratio.toFixed(2)}`,
      ...[before, peak, after].map(megabytes),
      seconds(memoryBack),
      seconds(latencyBack),
      megabytes(wal),
      `${refused} of ${asked}`,
      milliseconds(percentile(times, 0.99)),
      `${lost} of ${VIEWERS}`,
    ];
    return { line, problems: problems.map((problem) => `${name}: ${problem}`) };
  } finally {
    stop();
    disconnectAll();
    await podium.kill();
  }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in scenarios));
if (unknown.length > 0) {
  console.error(`no attack is called ${unknown.join(', ')}; there are: ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}
const heads = [
  ...['attack', 'p50', 'p99', 'p50 under attack', 'p99', 'ratio'],
  ...['memory', 'peak', '20 s after', 'memory back', 'p99 back', 'peak WAL', 'refused', 'their p99', 'viewers lost'],
];
const rows = [heads];
const problems = [];
for (const name of chosen.length > 0 ? chosen : Object.keys(scenarios)) {
  const outcome = await run(name);
  // A row at once: the whole takes minutes.
  console.error(outcome.line.join(' | '));
  rows.push(outcome.line);
  problems.push(...outcome.problems);
}
console.log(
  `accepted → received, ${VIEWERS} viewers, ${ACTIONS_PER_SECOND} actions a second; in peace, and under attack:`,
);
printTable(rows);
verdict(problems);
