// Heads of requests: above 32 kB they are refused, and what is below is not kept for
// as long as a session lives.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { rss } from '../support/memory.mjs';
import { askForWebSocket, flood, joinByHand, openRaw, statusOf, upgradeHeaders } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const KB = 1000;
const from = { localAddress: ATTACKER };

const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = '/socket.io/?EIO=4&transport=websocket';

const padding = (bytes) => ['X-Padding', 'x'.repeat(bytes)];
/** So much in headers of 4 kB, none of which is remarkable alone. */
const paddings = (bytes) =>
  Array.from({ length: bytes / (4 * KB) }, (_, i) => [`X-Padding-${i}`, 'x'.repeat(4 * KB)]);

describe('the head of a request', () => {
  const requests = {
    'for a page': ['/', []],
    'for a route': ['/healthz', []],
    'that opens a session': [POLLING, []],
    'that asks for a WebSocket': [WEBSOCKET, upgradeHeaders()],
  };
  for (const [name, [path, headers]] of Object.entries(requests)) {
    it(`${name}, is refused above 32 kB`, async (t) => {
      const podium = await podiumForTest(t);
      const status = (...more) => statusOf(podium.url, 'GET', path, [...headers, ...more]);
      assert.equal(await status(padding(40 * KB)), 431, 'one header');
      assert.equal(await status(...paddings(40 * KB)), 431, 'several headers');
      // A server need not read to the end what it refuses.
      const huge = await status(...paddings(380 * KB)).catch(() => 431);
      assert.equal(huge, 431, 'as many headers as there may be');
      const long = await statusOf(podium.url, 'GET', `${path}?${'x'.repeat(40 * KB)}`, headers);
      assert.ok([414, 431].includes(long), `${long} for a long address`);
    });
  }

  it('is taken below that', async (t) => {
    const podium = await podiumForTest(t);
    for (const [path, headers] of Object.values(requests)) {
      const status = await statusOf(podium.url, 'GET', path, [...headers, padding(24 * KB)]);
      assert.equal(status, headers.length > 0 ? 101 : 200, path);
    }
  });

  it('that opens a session has a token of at most 8 KiB', async (t) => {
    const podium = await podiumForTest(t);
    const bearer = (bytes) => ['Authorization', `Bearer ${'x'.repeat(bytes - 'Bearer '.length)}`];
    for (const [path, headers, taken] of [
      [POLLING, [], 200],
      [WEBSOCKET, upgradeHeaders(), 101],
    ]) {
      const status = (bytes) => statusOf(podium.url, 'GET', path, [...headers, bearer(bytes)]);
      assert.equal(await status(8 * 1024), taken, path);
      assert.equal(await status(8 * 1024 + 1), 431, path);
    }
  });

  it('that does not end closes its connection, and costs nobody else', (t) =>
    underAttack(t, {}, async ({ podium, refused }) => {
      const connections = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const connection = await openRaw(podium.url, from);
          await connection.write('GET / HTTP/1.1\r\nHost: x\r\nX-Padding: ');
          await flood(connection, Buffer.alloc(64 * KB, 'x'), { bytes: 4000 * KB, milliseconds: 5000 });
          return connection;
        }),
      );
      await refused(connections);
    }));
});

describe('sessions', () => {
  const SESSIONS = 300;
  const AT_ONCE = 10;

  /** Bytes that each session of a fresh server takes when it was opened with these. */
  async function bytesEach(t, headers) {
    const podium = await podiumForTest(t);
    const { pid } = podium.process;
    // The first ones make the server what it is for all.
    const first = await Promise.all(
      Array.from({ length: AT_ONCE }, () => joinByHand(podium.url, { headers })),
    );
    const before = rss(pid);
    const connections = [];
    const join = async () => {
      while (connections.length < SESSIONS) {
        const connection = joinByHand(podium.url, { headers });
        connections.push(connection);
        await connection;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, join));
    const each = (rss(pid) - before) / SESSIONS;
    for (const connection of await Promise.all([...first, ...connections])) connection.drop();
    return each;
  }

  it('do not keep the head of the request that opened them', async (t) => {
    const small = await bytesEach(t, []);
    const large = await bytesEach(t, paddings(24 * KB));
    t.diagnostic(`${(small / KB).toFixed(1)} kB each; with a large head ${(large / KB).toFixed(1)} kB`);
    assert.ok(large - small < 8 * KB, `${large} bytes each, and ${small} with a small head`);
  });

  it('cannot be opened with heads of 400 kB, which are not kept either', (t) =>
    underAttack(t, { env: { PODIUM_LIMITS__ALLOW: '127.0.0.0/8' } }, async ({ podium, problem }) => {
      const { pid } = podium.process;
      let taken = 0;
      const connections = [];
      const open = async () => {
        while (connections.length < 200) {
          const asked = askForWebSocket(podium.url, { ...from, headers: paddings(380 * KB) });
          connections.push(asked);
          // A server need not read to the end what it refuses.
          const { status } = await asked.catch(() => ({}));
          if (status === 101) taken += 1;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, open));
      if (taken > 0) problem(`${taken} of 200 were opened, and it holds ${rss(pid) / 1e6} MB`);
      for (const asked of await Promise.allSettled(connections)) asked.value?.connection.drop();
    }));

  it('with heads of 24 kB give back what they took', (t) =>
    underAttack(t, { env: { PODIUM_LIMITS__ALLOW: '127.0.0.0/8' } }, async ({ podium }) => {
      const connections = [];
      const open = async () => {
        while (connections.length < SESSIONS) {
          const opening = joinByHand(podium.url, { ...from, headers: paddings(24 * KB) });
          connections.push(opening);
          await opening;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, open));
      for (const connection of await Promise.all(connections)) connection.drop();
    }));
});
