// Clients that are gone before they know their session: it is no more, and what it took
// of their address is given back.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { metricsOf } from '../support/metrics.mjs';
import { token } from '../support/podium.mjs';
import { openPolling } from '../support/polling.mjs';
import { head, openRaw } from '../support/raw.mjs';
import { connect } from '../support/socket.mjs';
import { podiumForTest } from '../support/suite.mjs';

const SESSIONS = 20;
const ABORTED = 300;
const POLLING = '/socket.io/?EIO=4&transport=polling';
/** Sooner than what is silent is closed, where the machine is not slower than that. */
const ATTEMPTS = 12;
const RETRY_EVERY_MS = 200;

const env = {
  PODIUM_LIMITS__CONNECTIONS_PER_IP: '100000',
  PODIUM_LIMITS__SOCKETS_PER_IP: String(SESSIONS),
};

/**
 * Asks for a session, and says in the same instant that it sends no more. Resolves to the
 * session, if the answer was quicker than that.
 */
async function abort({ hostname, port }) {
  const socket = connectTcp({ host: hostname, port: Number(port), localAddress: ATTACKER });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  let answer = '';
  socket.on('data', (data) => (answer += data));
  socket.end(head('GET', POLLING, [['Host', `${hostname}:${port}`]]));
  await closed;
  return /"sid":"([^"]+)"/.exec(answer)?.[1];
}

describe('clients that go while their session is opened', () => {
  it('do not use up what their address may have', (t) =>
    underAttack(t, { env }, async ({ podium, problem }) => {
      const address = new URL(podium.url);
      for (let aborted = 0; aborted < ABORTED; ) {
        const sid = await abort(address);
        // Who was answered in time has a session, and leaves it like anybody.
        if (sid) await fetch(new URL(`${POLLING}&sid=${sid}`, address), { method: 'POST', body: '1' });
        else aborted += 1;
      }

      const join = async () => {
        const viewer = token({ user: randomUUID(), role: 'viewer' });
        for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
          const joining = connect(podium.url, { token: viewer, localAddress: ATTACKER });
          if (await joining.then(() => true, () => false)) return true;
          // Who tries without a pause is another attack.
          await sleep(RETRY_EVERY_MS);
        }
        return false;
      };
      const joined = await Promise.all(Array.from({ length: SESSIONS }, join));
      const refused = joined.filter((isIn) => !isIn).length;
      if (refused > 0) problem(`${refused} of ${SESSIONS} others of the address were refused`);
    }));
});

describe('clients that go while they poll', () => {
  const POLLS = 20;
  /** Sooner than a ping is not answered, which is after 45 s. */
  const ENDED_WITHIN_MS = 15_000;

  /** What stands behind the poll on the same connection. */
  const behind = {
    nothing: '',
    'another request': head('GET', '/healthz', [['Host', 'x']]),
    'a part of one': 'GET /healthz HTT',
  };
  for (const [name, more] of Object.entries(behind)) {
    it(`end their sessions, with ${name} behind it`, async (t) => {
      const podium = await podiumForTest(t, { env });
      const poll = async () => {
        const session = await openPolling(podium.url);
        await session.connect(token({ user: randomUUID(), role: 'viewer' }));
        const { pathname, search } = new URL(session.url);
        const connection = await openRaw(podium.url);
        await connection.write(head('GET', `${pathname}${search}`, [['Host', 'x']]) + more);
        return connection;
      };
      const connections = await Promise.all(Array.from({ length: POLLS }, poll));
      const sockets = async () => (await metricsOf(podium.url)).podium_sockets;
      assert.equal(await sockets(), POLLS);
      for (const connection of connections) connection.drop();
      const end = performance.now() + ENDED_WITHIN_MS;
      while ((await sockets()) > 0 && performance.now() < end) await sleep(50);
      assert.equal(await sockets(), 0);
    });
  }
});
