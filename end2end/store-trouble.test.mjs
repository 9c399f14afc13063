// A store that cannot write says so: to whoever sends, by /readyz and /metrics, and to
// admins; everybody can still see the board. And a file that is not what was left is
// refused at the start, with words.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { fill, ownDisk, seenFromHere, smallDisk } from './support/disk.mjs';
import {
  act,
  action,
  importedDatabase,
  leaderboard,
  newUser,
  onExitOfTests,
  postActions,
  request,
  startPodium,
  token,
} from './support/podium.mjs';
import { connect, nextEvent, received } from './support/socket.mjs';
import { podiumForTest } from './support/suite.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
const PODIUM = process.env.PODIUM_BIN ?? join(TARGET, 'release/podium');
/** Its writer may be at one thing for 6 s, and not for a minute. */
const FAULTY = join(TARGET, 'debug/examples/faulty');

/** A request waits for 10 s, and a machine may be busy. */
const ANSWERS_WITHIN_MS = 30_000;
const COMES_WITHIN_MS = 60_000;
/** The longest that a disk hangs, which ends when the test has seen all. */
const HANGS_S = 60;

const admin = () => token({ user: randomUUID(), role: 'admin' });
const viewer = () => token({ user: randomUUID(), role: 'viewer' });

/** Asks again and again, until the answer is as it should be. */
async function until(podium, path, isSo) {
  for (const end = Date.now() + COMES_WITHIN_MS; ; await sleep(100)) {
    const answer = await request(podium.url, 'GET', path);
    if (isSo(answer)) return answer;
    assert.ok(Date.now() < end, `${path} says ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}

const unready = (podium) => until(podium, '/readyz', ({ status }) => status === 503);
const ready = (podium) => until(podium, '/readyz', ({ status }) => status === 200);

async function expectOpen(podium, open) {
  const { body } = await request(podium.url, 'GET', '/metrics');
  assert.match(body, new RegExp(`^podium_store_open ${open}$`, 'm'));
}

/** The board is there for all who look, although nothing can be stored. */
async function expectReadable(podium, score) {
  assert.equal((await leaderboard(podium.url)).topScores[0].score, score);
  const page = await request(podium.url, 'GET', '/');
  assert.equal(page.status, 200);
  assert.match(page.body, /Ada/);
  assert.equal((await request(podium.url, 'GET', '/healthz')).status, 200);
}

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    execFile(command, args, options, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });
}

/** The settings of a server with this file. */
const env = (database) => ({
  PATH: process.env.PATH,
  JWT_SECRET: 'end2end-only-4vR9qTz2LmW7cKp3NsY8bJd5FgU6aEo1iQr',
  LEPTOS_SITE_ADDR: '127.0.0.1:0',
  PODIUM_STORE__URL: `sqlite:${database}`,
});

/** Runs a command with this file, which is to end by itself. */
const command = (args, database) =>
  run(PODIUM, args, { cwd: ROOT, env: env(database), timeout: 20_000 });

const isReason = ({ message }) => /disk/.test(message);

/** The banners that somebody gets who comes now: before anything that is asked for. */
async function newcomerHears(podium, credentials) {
  const socket = await connect(podium.url, { token: credentials });
  socket.emit('subscribe_scoreboard');
  await nextEvent(socket, 'leaderboard_refresh');
  socket.disconnect();
  return received(socket, 'system_notification');
}

describe('a disk', () => {
  it('that is full is said to all whom it concerns, and is over by itself', async (t) => {
    const disk = smallDisk(PODIUM);
    const podium = await podiumForTest(t, disk);
    const userId = await newUser(podium);
    await act(podium.url, { userId, scoreIncrease: 5 });
    const [organiser, watcher] = await Promise.all([
      connect(podium.url, { token: admin() }),
      connect(podium.url, { token: viewer() }),
    ]);
    t.after(() => [organiser, watcher].forEach((it) => it.disconnect()));
    const told = (socket, words) =>
      nextEvent(socket, 'system_notification', ({ message }) => words.test(message));

    const makeRoom = fill(seenFromHere(podium, disk));
    const bodies = Array.from({ length: 50 }, () => action({ userId, scoreIncrease: 1 }));
    let refused;
    let accepted = 0;
    for (const body of bodies) {
      refused = await postActions(podium, body);
      if (refused.status !== 200) break;
      accepted += 1;
    }
    assert.equal(refused.status, 503);
    assert.match(refused.body.detail, /the disk is full: make room/);
    assert.match(refused.body.detail, /send the same again .* counted once/);
    assert.equal(refused.retryAfter, '5');
    const { body, retryAfter } = await unready(podium);
    assert.match(body.detail, /the disk is full/);
    assert.equal(retryAfter, '5');
    await expectOpen(podium, 0);
    await expectReadable(podium, 5 + accepted);

    const banner = await told(organiser, /disk is full/);
    assert.deepEqual([banner.type, banner.severity], ['SYSTEM_ALERT', 'error']);
    await told(watcher, /cannot be taken/);
    // Both were said at the same time: either may come first.
    assert.deepEqual((await newcomerHears(podium, admin())).map(isReason).sort(), [false, true]);
    assert.deepEqual((await newcomerHears(podium, viewer())).map(isReason), [false]);
    assert.ok(!received(watcher, 'system_notification').some(isReason), 'others need not know');

    makeRoom();
    await ready(podium);
    const over = await nextEvent(organiser, 'system_notification', (it) => it.replaces === banner.id);
    assert.match(over.message, /can write again/);
    await expectOpen(podium, 1);
    // What was refused, and what was answered before: each counts once.
    for (const body of bodies) assert.equal((await postActions(podium, body)).status, 200);
    assert.equal((await leaderboard(podium.url)).topScores[0].score, 5 + bodies.length);
  });

  it('that keeps the log from being written back is no harm', async (t) => {
    const disk = smallDisk(PODIUM);
    const podium = await podiumForTest(t, disk);
    const userId = await newUser(podium);
    let score = 0;
    let makeRoom;
    const isSaid = () => /cannot be written back/.test(podium.log.text);
    for (const end = Date.now() + COMES_WITHIN_MS; !isSaid(); ) {
      assert.ok(Date.now() < end, `the log was written back\n${podium.log.text}`);
      makeRoom?.();
      // More than is left in the log when all is quiet. It may have been written back before
      // the disk is full, where the machine is slow.
      for (let i = 0; i < 40; i++) {
        await Promise.all(Array.from({ length: 5 }, () => newUser(podium, `Ben ${i}`)));
        ({ score } = await act(podium.url, { userId, scoreIncrease: 1 }));
      }
      makeRoom = fill(seenFromHere(podium, disk));
      for (const until = Date.now() + 5000; !isSaid() && Date.now() < until; ) await sleep(50);
    }
    await ready(podium);
    makeRoom();
    await act(podium.url, { userId, scoreIncrease: 1 });
    assert.equal((await leaderboard(podium.url)).topScores[0].score, score + 1);
  });

  it('that hangs is said, and whoever waits for it waits for a bounded time', async (t) => {
    if (process.getuid() !== 0) return t.skip('only root may freeze a file system');
    const disk = ownDisk({
      binary: FAULTY,
      namespaces: '--mount --propagation private',
      mount:
        'truncate -s 24M "$0/disk" && mkfs.ext4 -q -m 0 "$0/disk" && mount -o loop "$0/disk" "$0"',
    });
    const podium = await podiumForTest(t, disk);
    const userId = await newUser(podium);
    await act(podium.url, { userId, scoreIncrease: 5 });
    const organiser = await connect(podium.url, { token: admin() });
    t.after(() => organiser.disconnect());

    // It ends by itself, whatever becomes of this test: with it, or when its time is over.
    const place = seenFromHere(podium, disk);
    const untilThawed = `timeout ${HANGS_S} cat`;
    const frozen = `fsfreeze -f ${place} && echo frozen && ${untilThawed}; fsfreeze -u ${place}`;
    const freeze = spawn('sh', ['-c', frozen]);
    const thawed = once(freeze, 'exit');
    await once(freeze.stdout, 'data');
    const first = action({ userId, scoreIncrease: 7 });
    const began = Date.now();
    const waiting = postActions(podium, first);
    const { body } = await unready(podium);
    assert.match(body.detail, /the disk does not answer/);
    await expectOpen(podium, 0);
    const isReason = ({ message }) => /disk does not answer/.test(message);
    await nextEvent(organiser, 'system_notification', isReason);
    // Whoever comes now is not made to wait.
    const second = action({ userId, scoreIncrease: 1 });
    const refused = await postActions(podium, second);
    assert.equal(refused.status, 503);
    assert.match(refused.body.detail, /the disk does not answer/);
    const late = await waiting;
    assert.ok(Date.now() - began < ANSWERS_WITHIN_MS);
    assert.equal(late.status, 503);
    assert.match(late.body.detail, /may have stored this or not: send the same again/);
    assert.equal(late.retryAfter, '5');
    await expectReadable(podium, 5);

    freeze.stdin.end();
    await thawed;
    await ready(podium);
    await expectOpen(podium, 1);
    for (const body of [first, second]) {
      assert.equal((await postActions(podium, body)).status, 200);
    }
    assert.equal((await leaderboard(podium.url)).topScores[0].score, 13);
    assert.equal(podium.process.exitCode, null, 'the watchdog has let it be');
  });
});

describe('a file beneath a running server', () => {
  for (const [what, harm] of [
    ['deleted', (file) => unlinkSync(file)],
    ['moved', (file) => renameSync(file, `${file}.moved`)],
    ['replaced', (file) => (copyFileSync(file, `${file}.copy`), renameSync(`${file}.copy`, file))],
    ['emptied', (file) => truncateSync(file)],
    ['without its log', (file) => unlinkSync(`${file}-wal`)],
  ]) {
    it(`that is ${what} is written no more, and the board stays`, async (t) => {
      const podium = await podiumForTest(t);
      const userId = await newUser(podium);
      await act(podium.url, { userId, scoreIncrease: 5 });
      harm(podium.database);
      const refused = await postActions(podium, action({ userId, scoreIncrease: 1 }));
      assert.equal(refused.status, 503);
      assert.match(refused.body.detail, /the board's file.* (put back|restore)/);
      assert.ok(!refused.body.detail.includes(podium.database), 'the path is for the log');
      assert.match((await unready(podium)).body.detail, /the board's file/);
      await expectOpen(podium, 0);
      await expectReadable(podium, 5);
      const left = existsSync(podium.database) && readFileSync(podium.database);
      await podium.stop();
      assert.deepEqual(existsSync(podium.database) && readFileSync(podium.database), left);
    });
  }
});

describe('beside a running server', () => {
  it('a file that is touched is written on', async (t) => {
    const podium = await podiumForTest(t);
    const userId = await newUser(podium);
    for (let score = 1; score <= 3; score++) {
      utimesSync(podium.database, new Date(), new Date(Date.now() - score * 1000));
      await act(podium.url, { userId, scoreIncrease: 1 });
      // Longer than it waits for another program that writes the log back.
      if (score === 2) await sleep(6000);
    }
    await ready(podium);
    await expectReadable(podium, 3);
  });

  it('a lock that is deleted lets no second server in', async (t) => {
    const podium = await podiumForTest(t);
    const userId = await newUser(podium);
    for (let score = 1; score <= 3; score++) {
      unlinkSync(`${podium.database}.lock`);
      const second = await command(['serve'], podium.database);
      assert.equal(second.code, 1, second.stderr);
      assert.match(second.stderr, /is in use by another Podium/);
      await act(podium.url, { userId, scoreIncrease: 1 });
    }
    await ready(podium);
    await expectReadable(podium, 3);
  });

  it('an index that is cut short ends what is written, and a restart has everything', async (t) => {
    const podium = await startPodium();
    t.after(() => podium.kill());
    const userId = await newUser(podium);
    await act(podium.url, { userId, scoreIncrease: 5 });
    truncateSync(`${podium.database}-shm`);
    const refused = await postActions(podium, action({ userId, scoreIncrease: 1 }));
    assert.equal(refused.status, 503);
    assert.match(refused.body.detail, /\(-shm\) was cut short.*start it again/);
    await expectReadable(podium, 5);
    assert.deepEqual(await podium.stop(), { code: 0, signal: null });
    const next = await podiumForTest(t, { database: podium.database });
    await expectReadable(next, 5);
  });
});

describe('a start', () => {
  async function board() {
    const user = randomUUID();
    return importedDatabase([
      { userId: user, username: 'Ada' },
      { actionId: 'a', userId: user, actionType: 'quiz', scoreIncrease: 5 },
    ]);
  }

  async function expectRefused(database, words) {
    const before = existsSync(database) && readFileSync(database);
    const { code, stderr } = await command(['serve'], database);
    assert.equal(code, 1, stderr);
    assert.match(stderr, words);
    assert.deepEqual(existsSync(database) && readFileSync(database), before);
  }

  it('refuses what is no board, and says what to do', async () => {
    const database = await board();
    writeFileSync(database, 'my diary');
    await expectRefused(database, /it is no SQLite file.*Nothing was changed: name another file/);
  });

  it('refuses a file that it may not write', async (t) => {
    const database = await board();
    let binary = PODIUM;
    let uid;
    if (process.getuid() === 0) {
      // Root may write whatever it likes.
      uid = 65534;
      const folder = mkdtempSync(join(tmpdir(), 'podium-bin-'));
      t.after(() => rmSync(folder, { recursive: true }));
      binary = join(folder, 'podium');
      copyFileSync(PODIUM, binary);
      for (const it of [folder, join(database, '..')]) chmodSync(it, 0o755);
      chmodSync(`${database}.lock`, 0o666);
    }
    chmodSync(database, 0o444);
    const options = { cwd: '/', env: env(database), timeout: 20_000, uid };
    const { code, stderr } = await run(binary, ['serve'], options);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot be written.*let the user that runs Podium write/);
  });

  it('waits for a decision about a file that is gone, which podium adopt takes', async () => {
    const database = await board();
    unlinkSync(database);
    await expectRefused(database, /it is missing, and held 3 entries.*podium adopt/);
    const asked = await command(['adopt'], database);
    assert.equal(asked.code, 1);
    assert.match(asked.stdout, /the next start begins with an empty one/);
    assert.match(asked.stderr, /--yes/);
    await expectRefused(database, /it is missing/);
    assert.equal((await command(['adopt', '--yes'], database)).code, 0);
    const server = await startPodium({ database });
    assert.deepEqual((await leaderboard(server.url)).topScores, []);
    await server.stop();
  });

  it('and check-config name a place that does not keep what is stored', async () => {
    const folder = mkdtempSync('/dev/shm/podium-');
    onExitOfTests(() => rmSync(folder, { recursive: true, force: true }));
    const checked = await command(['check-config'], join(folder, 'podium.db'));
    assert.equal(checked.code, 0);
    assert.match(checked.stdout, /is on tmpfs: that is memory/);
    const server = spawn(PODIUM, ['serve'], { cwd: ROOT, env: env(join(folder, 'podium.db')) });
    onExitOfTests(() => server.kill('SIGKILL'));
    let log = '';
    for await (const text of server.stderr) {
      log += text;
      if (/is on tmpfs: that is memory/.test(log)) server.kill('SIGKILL');
    }
    assert.match(log, /is on tmpfs/);
  });
});
