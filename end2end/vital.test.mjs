// Tasks without which a server does nothing panic or hang, and it ends, to be started
// again. examples/faulty.rs is the server with a store that has such faults.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { act, freePort, newUser, request, startPodium, token, within } from './support/podium.mjs';
import { startRedis } from './support/redis.mjs';
import { connect, nextEvent, roundTrip } from './support/socket.mjs';

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../target', import.meta.url));
const FAULTY = join(TARGET, 'debug/examples/faulty');

/** The `EX_SOFTWARE` of sysexits.h. */
const FAILED = 70;
/** All tasks may be silent for 30 s, a goodbye takes 5 s; and a machine may be busy. */
const EXIT_WITHIN_MS = 90_000;

const viewer = () => token({ user: randomUUID(), role: 'viewer' });

/** A server that is to fail, with one player, and a way to make a task fail. */
async function faultyServer(t, options) {
  const podium = await startPodium({ binary: FAULTY, fails: true, ...options });
  t.after(() => podium.kill());
  podium.player = await newUser(podium);
  podium.fail = (how, what) => podium.process.stdin.write(`${how} ${what}\n`);
  return podium;
}

/** Asks ten times a second, as many balancers do, until the server says that it is not well. */
async function complaint(podium, path = '/healthz') {
  const url = new URL(path, podium.url);
  // What hangs may hold a thread, and with it a request: no other waits for that.
  const ask = async () => {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    if (answer.status === 200) return;
    said = { status: answer.status, detail: (await answer.json()).detail };
  };
  let said;
  const asked = [];
  while (said === undefined && podium.process.exitCode === null) {
    asked.push(ask().catch(() => {}));
    await sleep(100);
  }
  // The last answer may be on its way.
  if (said === undefined) await Promise.all(asked);
  assert.ok(said, `${path} was well to the end`);
  return said;
}

function exit(podium) {
  return within(EXIT_WITHIN_MS, podium.exited, () => 'the server does not end');
}

/** What a client hears of the end, over each transport. */
async function watchers(t, podium) {
  const sockets = await Promise.all(
    ['websocket', 'polling'].map((it) =>
      connect(podium.url, { token: viewer(), transports: [it], reconnection: true }),
    ),
  );
  t.after(() => sockets.forEach((socket) => socket.disconnect()));
  return sockets.map((socket) => ({
    socket,
    gone: new Promise((resolve) => socket.once('disconnect', resolve)),
  }));
}

const task = {
  hub: /^the hub's actor /,
  writer: /^the store's writer /,
  presence: /^the presence follower /,
};

// They wait for what takes long.
describe('a server', { concurrency: true }, () => {
  describe('a task that must go on', { concurrency: 4 }, () => {
    // It takes longest.
    it('ends the server if nothing runs any more', async (t) => {
      const podium = await faultyServer(t);
      podium.fail('hang', 'runtime');
      assert.deepEqual(await exit(podium), { code: FAILED, signal: null });
    });

    for (const what of ['hub', 'writer', 'presence']) {
      for (const how of ['panic', 'hang']) {
        it(`ends the server if it is the ${what} and should ${how}`, async (t) => {
          const podium = await faultyServer(t);
          const clients = await watchers(t, podium);
          podium.fail(how, what);
          // The writer fails when it writes, and does not answer.
          if (what === 'writer') {
            act(podium.url, { userId: podium.player, scoreIncrease: 1 }).catch(() => {});
          }
          const [health, readiness] = await Promise.all([
            complaint(podium),
            complaint(podium, '/readyz'),
          ]);
          for (const { status, detail } of [health, readiness]) {
            assert.equal(status, 503);
            assert.match(detail, task[what]);
            assert.match(detail, how === 'panic' ? /has panicked/ : /hangs/);
          }
          if (what !== 'hub') {
            for (const { socket } of clients) {
              const notice = await nextEvent(socket, 'system_notification');
              assert.match(notice.message, /starts again/);
            }
          }
          // After any of these, and not after `io server disconnect`, clients come back. A
          // poll is answered by a packet that says so, also where nobody could be told;
          // where the process just ends it is a `transport error`.
          const [websocket, polling] = await Promise.all(clients.map(({ gone }) => gone));
          assert.match(websocket, /^transport (close|error)$/);
          assert.equal(polling, 'transport close');
          assert.deepEqual(await exit(podium), { code: FAILED, signal: null });
          const log = await podium.log.ended;
          assert.ok(log.includes(health.detail.replace(/;.*/, '; the process ends')), log);
        });
      }
    }

    for (const how of ['panic', 'hang']) {
      it(`ends the server if it follows Redis and should ${how}`, async (t) => {
        const redis = await startRedis();
        t.after(() => redis.kill());
        const podium = await faultyServer(t, { redis: redis.address() });
        podium.fail(how, 'writer');
        act(podium.url, { userId: podium.player, scoreIncrease: 1 }).catch(() => {});
        assert.match((await complaint(podium)).detail, task.writer);
        assert.deepEqual(await exit(podium), { code: FAILED, signal: null });
      });
    }
  });

  describe('whose log nobody reads', () => {
    it('ends rather than hang', async (t) => {
      const podium = await startPodium({ env: { RUST_LOG: 'debug' }, fails: true });
      t.after(() => podium.kill());
      podium.process.stderr.pause();
      const { hostname, port } = new URL(podium.url);
      // A line of the log for each connection; and more at once than threads to be hung.
      const flood = async () => {
        while (podium.process.exitCode === null) {
          const connection = connectTcp({ host: hostname, port });
          connection.on('error', () => {});
          connection.end('no HTTP\r\n\r\n');
          await new Promise((resolve) => connection.resume().once('close', resolve));
        }
      };
      for (let i = 0; i < 16; i++) flood();
      assert.deepEqual(await exit(podium), { code: FAILED, signal: null });
    });
  });

  describe('a client of a server that has failed', () => {
    it('comes back by itself to the next one', async (t) => {
      const env = { LEPTOS_SITE_ADDR: `127.0.0.1:${await freePort()}` };
      const podium = await faultyServer(t, { env });
      const [{ socket }] = await watchers(t, podium);
      podium.fail('panic', 'hub');
      await exit(podium);
      const back = once(socket, 'connect');
      const next = await startPodium({ env, database: podium.database });
      t.after(() => next.stop());
      await back;
      await roundTrip(socket);
      assert.equal((await request(next.url, 'GET', '/healthz')).status, 200);
    });
  });

  describe('that was suspended', () => {
    it('goes on, even after longer than a task may be silent', async (t) => {
      const podium = await startPodium();
      t.after(() => podium.stop());
      podium.process.kill('SIGSTOP');
      // Nothing happens for which to wait.
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      podium.process.kill('SIGCONT');
      // Long enough for its watch to look again, several times.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      assert.equal((await request(podium.url, 'GET', '/healthz')).status, 200);
      assert.equal(podium.process.exitCode, null);
    });
  });
});
