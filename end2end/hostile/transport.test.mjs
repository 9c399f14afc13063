// A transport is closed soon after its session, whoever ended that and whatever the
// client does.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { newUser, publisherToken, request, token } from '../support/podium.mjs';
import { openPolling } from '../support/polling.mjs';
import { connectPacket, frame, joinByHand, openAfter, openWebSocket } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const CLOSED_WITHIN_MS = 5000;
/** Who has not joined may try again for 5 s. */
const REFUSED_WITHIN_MS = 8000;
/** The limits of a user hold here, as everywhere. */
const TOO_MANY = 150;

const admin = () => token({ user: randomUUID(), role: 'admin' });

async function ask(podium, method, path, credentials) {
  assert.equal((await request(podium.url, method, path, { token: credentials })).status, 204);
}

/** How a session may end. `heard` is the last that its client is sent. */
const endings = {
  'its token ends': { ttlSeconds: 5, heard: 'session_expired' },
  'its token is revoked': {
    end: ({ podium, user }) => ask(podium, 'POST', `/api/v1/users/${user}/revoke`, admin()),
    heard: 'session_expired',
  },
  'its user is deleted': {
    end: ({ podium, user }) => ask(podium, 'DELETE', `/api/v1/users/${user}`, publisherToken()),
    heard: 'session_expired',
  },
  'its client leaves': { end: ({ send }) => send('41') },
  'its client sends too many events': {
    end: ({ send }) => send(...Array(TOO_MANY).fill('42["ping"]')),
    heard: 'Rate limit exceeded',
  },
};

describe('a WebSocket', { concurrency: true }, () => {
  for (const [name, { ttlSeconds, end, heard }] of Object.entries(endings)) {
    it(`is closed within 5 s when ${name}`, async (t) => {
      const podium = await podiumForTest(t);
      const user = await newUser(podium);
      const connection = await joinByHand(podium.url, { credentials: token({ user, ttlSeconds }) });
      const send = (...packets) => connection.write(Buffer.concat(packets.map((p) => frame(p))));
      await end?.({ podium, user, send });
      if (heard) await connection.readUntil(heard);
      assert.equal(await openAfter([connection], CLOSED_WITHIN_MS), 0, 'it is open');
    });
  }

  it('is closed within seconds when its client was refused', async (t) => {
    const podium = await podiumForTest(t);
    const connection = await openWebSocket(podium.url);
    await connection.write(frame(connectPacket('forged')));
    await connection.readUntil('44{');
    assert.equal(await openAfter([connection], REFUSED_WITHIN_MS), 0, 'it is open');
  });
});

describe('a polling session', { concurrency: true }, () => {
  /** Is it known after the time in which it is to be closed? */
  async function outlives(session) {
    const end = performance.now() + CLOSED_WITHIN_MS;
    while (performance.now() < end) {
      if (!(await session.isOpen())) return false;
      // Often enough, and not so often that this is what closes it.
      await sleep(500);
    }
    return true;
  }

  for (const [name, { ttlSeconds, end }] of Object.entries(endings)) {
    it(`is no more within 5 s when ${name}`, async (t) => {
      const podium = await podiumForTest(t);
      const user = await newUser(podium);
      const session = await openPolling(podium.url);
      await session.connect(token({ user, ttlSeconds }));
      // It may be gone before the whole of a POST was taken.
      const send = (...packets) => session.send(...packets).catch(() => {});
      await end?.({ podium, user, send });
      if (ttlSeconds) await sleep(ttlSeconds * 1000);
      assert.equal(await outlives(session), false, 'it is known');
    });
  }
});
