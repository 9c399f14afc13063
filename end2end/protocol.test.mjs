// What the protocols say, and the contract leaves unsaid. The protocols' own
// suites run against examples/conformance.rs, not against this binary.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { describe, it } from 'node:test';
import { io } from 'socket.io-client';

import { token } from './support/podium.mjs';
import { openPolling } from './support/polling.mjs';
import { connect, connectError, roundTrip } from './support/socket.mjs';
import { podiumForSuite } from './support/suite.mjs';

const viewer = () => token({ user: randomUUID(), role: 'viewer' });

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  describe(`the protocol over ${transports.join(', then ')}`, () => {
    const podium = podiumForSuite();

    it('refuses a namespace that does not exist', async () => {
      const url = new URL('/custom', podium.url).href;
      const message = await connectError(url, { transports, token: viewer() });
      assert.equal(message, 'Invalid namespace');
    });

    it('sends no ping before an interval has passed', async (t) => {
      const auth = { token: viewer() };
      const socket = io(podium.url, { transports, auth, forceNew: true, reconnection: false });
      t.after(() => socket.disconnect());
      let pings = 0;
      socket.io.on('ping', () => (pings += 1));
      if (transports.length > 1) {
        await once(socket.io, 'open');
        await once(socket.io.engine, 'upgrade');
      }
      // What the server sent before its answer is here when the answer is.
      const { ok } = await socket.timeout(30_000).emitWithAck('ping');
      assert.ok(ok);
      assert.equal(pings, 0);
    });
  });
}

describe('a client that speaks as soon as it is connected', () => {
  const podium = podiumForSuite();

  it('is answered', async () => {
    // The answer would be lost by chance, so it takes many to see that none is.
    for (let i = 0; i < 50; i++) {
      const socket = await connect(podium.url, { token: viewer() });
      await roundTrip(socket);
      socket.disconnect();
    }
  });
});

describe('a poll that its client gives up', () => {
  const podium = podiumForSuite();

  it('ends the session', async () => {
    const session = await openPolling(podium.url);
    await session.connect(viewer());
    const poll = get(session.url);
    poll.on('error', () => {});
    await once(poll, 'finish');
    // By the time that another request is answered, the server waits with this one.
    assert.ok(await session.isOpen());
    poll.destroy();
    // Nobody would notice for a ping's interval and timeout, 85 s.
    const end = Date.now() + 30_000;
    while (await session.isOpen()) assert.ok(Date.now() < end, 'the session is still open');
  });
});
