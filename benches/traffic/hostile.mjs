// Do clients that mean harm disturb the others?
//
//     node benches/traffic/hostile.mjs
//
// 200 viewers watch a board of 50 rows that 50 actions a second change. How long it
// takes from the answer to an action until each viewer has it is measured for 10 s
// in peace, then while 1,000 connections subscribe and never read and 1,000 more
// send a request one byte every 2 s, until the server has closed them all, 45 s at
// most. It starts a server of its own (PODIUM_BIN, or target/release/podium) with a
// temporary database. Needs Linux, 5,000 file descriptors and about a minute.

import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import { act, putUser, startPodium } from '../../end2end/support/podium.mjs';
import { disconnectAll } from '../../end2end/support/socket.mjs';
import { Latencies, actSteadily, watch } from './steady.mjs';
import { inWaves, milliseconds, percentile, printTable, seconds, until, verdict } from './support.mjs';

const VIEWERS = 200;
const ACTIONS_PER_SECOND = 50;
const PEACE_MS = 10_000;
/** How long the hostile phase lasts at least, so that it can be compared. */
const WAR_MS = 10_000;
const WAR_ENDS_MS = 45_000;
const ROWS = 50;
const STOPPED = 1000;
const SLOW = 1000;

/** Of the other clients, under attack and in peace. */
const P99_RATIO_ALLOWED = 2;
const CLOSED_WITHIN_MS = 30_000;

function startHostile(url) {
  const file = fileURLToPath(new URL('hostile-clients.mjs', import.meta.url));
  const child = fork(file, [url, String(STOPPED), String(SLOW)]);
  const hostile = { open: undefined, closed: undefined, stop: () => child.kill('SIGKILL') };
  child.on('message', (message) => Object.assign(hostile, message));
  process.once('exit', hostile.stop);
  return hostile;
}

const podium = await startPodium({ env: { PODIUM_BOARD__TOP: String(ROWS) } });
try {
  const users = Array.from({ length: ROWS }, () => randomUUID());
  for (const [i, user] of users.entries()) {
    await putUser(podium.url, user, `Player ${i}`);
    await act(podium.url, { userId: user, scoreIncrease: 1000 + i });
  }
  const latencies = new Latencies();
  const viewers = await inWaves(VIEWERS, 20, () => watch(podium.url, latencies));
  // All rows are visible, so each action is told to each viewer.
  const traffic = actSteadily([podium.url], users, ACTIONS_PER_SECOND, latencies);
  // The first second warms everything up.
  await sleep(1000);
  latencies.take();

  await sleep(PEACE_MS);
  const peace = latencies.take();

  const hostile = startHostile(podium.url);
  const began = performance.now();
  await until(() => hostile.closed && performance.now() - began >= WAR_MS, WAR_ENDS_MS);
  const war = latencies.take();
  const lasted = performance.now() - began;
  hostile.stop();
  traffic.stop();
  const left = viewers.filter((viewer) => !viewer.connected).length;

  const line = (name, sample) => {
    const shares = [0.5, 0.99, 1].map((share) => milliseconds(percentile(sample, share)));
    return [name, sample.length, ...shares];
  };
  console.log(`accepted → received, ${VIEWERS} viewers, ${ACTIONS_PER_SECOND} actions a second:`);
  printTable([['', 'samples', 'p50', 'p99', 'max'], line('in peace', peace), line('under attack', war)]);
  const ratio = (share) => (percentile(war, share) / percentile(peace, share)).toFixed(2);
  console.log(`ratio: p50 × ${ratio(0.5)}, p99 × ${ratio(0.99)}; the attack lasted ${seconds(lasted)}`);

  const problems = [];
  const rows = [['hostile connections', 'opened', 'closed', 'first', 'p50', 'last']];
  for (const [name, opened] of Object.entries(hostile.open ?? {})) {
    const times = hostile.times?.[name] ?? [];
    const at = [0, 0.5, 1].map((share) => seconds(percentile(times, share)));
    rows.push([name, opened, times.length, ...at]);
    if (times.length < opened) problems.push(`${opened - times.length} were never closed: ${name}`);
    if (percentile(times, 1) > CLOSED_WITHIN_MS) {
      problems.push(`closed later than ${seconds(CLOSED_WITHIN_MS)}: ${name}`);
    }
  }
  printTable(rows);

  if (hostile.open === undefined) problems.push('the hostile clients could not connect');
  if (left > 0) problems.push(`${left} viewers were disconnected`);
  if (traffic.failures.length > 0) problems.push(`${traffic.failures.length} actions failed`);
  if (!(ratio(0.99) <= P99_RATIO_ALLOWED)) problems.push(`p99 more than × ${P99_RATIO_ALLOWED}`);
  verdict(problems);
} finally {
  disconnectAll();
  await podium.kill();
}
