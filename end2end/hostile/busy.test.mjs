// A server with more to do than it gets done is none that hangs: the watchdog lets it be.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  PODIUM,
  act,
  action,
  importedDatabase,
  postActions,
  request,
  startPodium,
  token,
} from '../support/podium.mjs';
import { connect } from '../support/socket.mjs';

/** Users of a board that is large, and how many watch it. */
const LARGE = 200_000;
const VIEWERS = 100;
/** As modest as the loops that take the processors: the machine belongs to others too. */
const NICE = 10;
/** Longer than the test. */
const BUSY_S = 300;
/** Longer than any task may be silent. */
const LOAD_MS = 12_000;
const SUSPENDED_MS = 12_000;

const viewer = () => token({ user: randomUUID(), role: 'viewer' });

/** A program that runs another in the same process, and lets others go first. */
function niced(t, program) {
  const folder = mkdtempSync(join(tmpdir(), 'podium-nice-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = join(folder, 'niced');
  writeFileSync(script, `#!/bin/sh\nexec nice -n ${NICE} "${program}" "$@"\n`, { mode: 0o755 });
  return script;
}

/** Takes all processors, several times over; each ends by itself. */
function occupyProcessors(t) {
  const loop = ['-n', NICE, 'timeout', `${BUSY_S}`, 'sh', '-c', 'while :; do :; done'];
  for (let n = 0; n < 3 * availableParallelism(); n++) {
    const busy = spawn('nice', loop, { stdio: 'ignore' });
    t.after(() => busy.kill());
  }
}

describe('a busy server', () => {
  it('goes on, with a large board, little time on the processors, and suspended', async (t) => {
    const users = Array.from({ length: LARGE }, (_, n) => ({
      userId: randomUUID(),
      username: `Player ${n}`,
    }));
    const database = await importedDatabase(users);
    const podium = await startPodium({ binary: niced(t, PODIUM), database });
    t.after(() => podium.kill());
    occupyProcessors(t);
    let log = '';
    podium.process.stderr.on('data', (text) => (log += text));
    const isThere = () => podium.process.exitCode === null && podium.process.signalCode === null;
    const expectThere = () => assert.ok(isThere(), log);

    const sockets = await Promise.all(
      Array.from({ length: VIEWERS }, () => connect(podium.url, { token: viewer() })),
    );
    t.after(() => sockets.forEach((socket) => socket.disconnect()));
    sockets.forEach((socket) => socket.emit('subscribe_scoreboard'));

    // Whoever asks may be told to come again: what counts is that the server goes on.
    const done = { actions: 0, others: 0 };
    let isOver = false;
    const someone = () => users[Math.floor(Math.random() * LARGE)];
    const again = async (what, ask) => {
      while (!isOver && isThere()) {
        const answer = await ask().catch(() => undefined);
        if (answer?.status === 200) done[what] += 1;
        else await sleep(50);
      }
    };
    const batch = () =>
      Array.from({ length: 100 }, () => action({ userId: someone().userId, scoreIncrease: 1 }));
    const paths = [
      () => '/',
      () => '/api/v1/leaderboard?limit=100',
      () => `/api/v1/users/${someone().userId}/history`,
      () => `/?q=Player%20${Math.floor(Math.random() * LARGE)}`,
    ];
    const load = [
      ...Array.from({ length: 8 }, () => again('actions', () => postActions(podium, batch()))),
      ...paths.map((path) => again('others', () => request(podium.url, 'GET', path()))),
    ];
    // Longer than a task may be silent; and then without a moment to recover.
    await sleep(LOAD_MS);
    expectThere();
    podium.process.kill('SIGSTOP');
    await sleep(SUSPENDED_MS);
    podium.process.kill('SIGCONT');
    await sleep(LOAD_MS);
    expectThere();
    isOver = true;
    await Promise.all(load);
    assert.ok(done.actions > 0 && done.others > 0, JSON.stringify(done));

    assert.equal((await request(podium.url, 'GET', '/healthz')).status, 200);
    const { userId } = someone();
    const { score } = await act(podium.url, { userId, scoreIncrease: 1 });
    assert.ok(score > 0);
    expectThere();
    assert.doesNotMatch(log, /hangs|panicked|the process ends/);
  });
});
