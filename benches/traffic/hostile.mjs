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

import { act, putUser, startPodium, token } from '../../end2end/support/podium.mjs';
import { connect, disconnectAll } from '../../end2end/support/socket.mjs';
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

/** When actions were accepted and when viewers had them, by `seq`. */
class Latencies {
  #accepted = new Map();
  #arrivals = [];

  accepted(seq) {
    this.#accepted.set(seq, performance.now());
  }

  /** A viewer has everything up to `to`, and had everything up to `from` before. */
  arrived(from, to) {
    this.#arrivals.push([from, to, performance.now()]);
  }

  /** The latencies of actions accepted since the last call, in milliseconds. */
  take() {
    const sample = [];
    for (const [from, to, at] of this.#arrivals) {
      for (let seq = from + 1; seq <= to; seq++) {
        const accepted = this.#accepted.get(seq);
        // A viewer may be told sooner than the sender of the action.
        if (accepted !== undefined) sample.push(Math.max(0, at - accepted));
      }
    }
    this.#accepted.clear();
    this.#arrivals = [];
    return sample;
  }
}

/** A well-behaved viewer, whose every arrival is noted. */
async function watch(url, latencies) {
  const viewer = token({ user: randomUUID(), role: 'viewer' });
  const socket = await connect(url, { token: viewer });
  let seen;
  const first = new Promise((resolve) => socket.once('leaderboard_refresh', resolve));
  socket.on('leaderboard_refresh', ({ seq }) => {
    if (seen !== undefined) latencies.arrived(seen, seq);
    seen = seq;
  });
  // What the harness keeps for tests would only grow here.
  socket.offAny();
  socket.emit('subscribe_scoreboard');
  await first;
  return socket;
}

/** Acts at a steady rate; resolves to how to stop it. */
function actSteadily(url, users, latencies) {
  let sent = 0;
  const failures = [];
  const began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * ACTIONS_PER_SECOND);
    for (; sent < due; sent++) {
      // All rows are visible, so each action is told to each viewer.
      const userId = users[(sent * 7) % users.length];
      act(url, { userId, scoreIncrease: 1 + (sent % 100) }).then(
        ({ seq }) => latencies.accepted(seq),
        (error) => failures.push(error.message),
      );
    }
  }, 5);
  return { failures, stop: () => clearInterval(timer) };
}

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
  const traffic = actSteadily(podium.url, users, latencies);
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
