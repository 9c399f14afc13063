// `podium migrate`, as somebody types it: a board goes from a file to Redis and back, and
// servers and their clients go on with it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { act, freePort, leaderboard, newUser, request, startPodium, token } from './support/podium.mjs';
import { connect, disconnectAll, nextEvent } from './support/socket.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BINARY = process.env.PODIUM_BIN ?? join(ROOT, 'target/release/podium');

const folder = mkdtempSync(join(tmpdir(), 'podium-migrate-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A Redis of its own that ends with the test; resolves to its address. */
async function startRedis(t) {
  const port = await freePort();
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', args.map(String), { cwd: folder, stdio: 'ignore' });
  t.after(() => server.kill('SIGKILL'));
  const until = Date.now() + 30_000;
  for (;;) {
    const socket = connectTcp(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return `redis://127.0.0.1:${port}`;
    } catch (error) {
      // It is not there yet, and does not say when it will be.
      if (Date.now() > until) throw error;
    } finally {
      socket.destroy();
    }
  }
}

/** Runs `podium migrate` to its end; resolves to `{code, out, err}`. */
function migrate(from, to, ...args) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PODIUM_|LEPTOS_|JWT_|REDIS_URL)/.test(name)),
  );
  return new Promise((resolve) => {
    const all = ['migrate', '--from', from, '--to', to, ...args];
    execFile(BINARY, all, { cwd: folder, env, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error ? error.code : 0, out, err });
    });
  });
}

describe('podium migrate', () => {
  it('takes a board to Redis and back, and clients go on', async (t) => {
    t.after(disconnectAll);
    const redis = await startRedis(t);
    const file = `sqlite:${join(folder, 'back.db')}`;

    const first = await startPodium();
    const ada = await newUser(first, 'Ada');
    const bob = await newUser(first, 'Bob');
    const sent = { actionId: randomUUID(), userId: ada, scoreIncrease: 7 };
    const answer = await act(first.url, sent);
    await act(first.url, { userId: bob, scoreIncrease: 3 });
    const before = await leaderboard(first.url);
    assert.match(
      (await migrate(`sqlite:${first.database}`, redis)).err,
      /in use by another Podium/,
      'a running server keeps its board',
    );
    await first.stop();

    for (const [from, to] of [
      [`sqlite:${first.database}`, redis],
      [redis, file],
    ]) {
      const { code, out, err } = await migrate(from, to);
      assert.equal(code, 0, err);
      assert.match(out, /^ {2}2 users$/m);
      const server = await startPodium({ env: { PODIUM_STORE__URL: to } });
      t.after(() => server.stop());
      const { lastUpdate: _, ...board } = await leaderboard(server.url);
      const { lastUpdate: __, ...wanted } = before;
      assert.deepEqual(board, wanted);
      assert.deepEqual(await act(server.url, sent), { ...answer, duplicate: true });
      const body = { ...sent, actionType: 'test', scoreIncrease: 8 };
      const conflict = await request(server.url, 'POST', '/api/v1/actions', {
        token: token({ user: randomUUID(), role: 'publisher' }),
        body,
      });
      assert.equal(conflict.status, 409);

      const socket = await connect(server.url, { token: token({ user: ada }) });
      const { epoch, seq } = before;
      const resumed = nextEvent(socket, 'scoreboard_delta');
      socket.emit('subscribe_scoreboard', { mode: 'delta', epoch, seq });
      const delta = await resumed;
      assert.deepEqual([delta.epoch, delta.to], [epoch, seq], 'whoever watched goes on');
      await server.stop();
    }
  });

  it('says what is wrong with the two places', async (t) => {
    const redis = await startRedis(t);
    const missing = await migrate('sqlite:missing.db', redis);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /there is nothing in sqlite:missing\.db/);
    assert.match((await migrate('sqlite:a.db', 'sqlite:b.db')).err, /--from and --to/);
    assert.notEqual((await migrate('postgres://a', redis)).code, 0);
  });
});
