// Floods of packets over polling: as many in a POST as it may have, and one POST behind
// the other.

import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { token } from '../support/podium.mjs';
import { openPolling } from '../support/polling.mjs';
import { connectPacket, flood, head, openRaw } from '../support/raw.mjs';

const SESSIONS = 8;
const BOUNDS = { bytes: 16_000_000, milliseconds: 5000 };
/** As much as a POST may have. */
const BODY_BYTES = 16_000;

/** A request that sends all these packets to a session. */
function post(session, packets) {
  const { host, pathname, search } = new URL(session.url);
  const body = packets.join('\x1e');
  const headers = [
    ['Host', host],
    ['Content-Type', 'text/plain;charset=UTF-8'],
    ['Content-Length', body.length],
  ];
  return head('POST', `${pathname}${search}`, headers) + body;
}

describe('a flood over polling', () => {
  const bodies = {
    CONNECT: { packet: '40', joined: true },
    'CONNECT with a payload': { packet: connectPacket() },
    'CONNECT to other namespaces': { packet: '40/elsewhere,' },
    events: { packet: '42["ping"]', joined: true },
    leaving: { packet: '41', joined: true },
    acknowledgements: { packet: '431[]', joined: true },
    pongs: { packet: '3', joined: true },
  };
  for (const [name, { packet, joined = false }] of Object.entries(bodies)) {
    it(`of ${name} is refused, and costs nobody else`, (t) =>
      underAttack(t, {}, async ({ podium, problem }) => {
        const packets = Array(Math.floor(BODY_BYTES / (packet.length + 1))).fill(packet);
        const attack = async () => {
          const session = await openPolling(podium.url);
          if (joined) await session.connect(token({ user: randomUUID(), role: 'viewer' }));
          const connection = await openRaw(podium.url, { localAddress: ATTACKER });
          // One behind the other, so that it need not wait for answers.
          await flood(connection, Buffer.from(post(session, packets).repeat(4)), BOUNDS);
          if (await session.isOpen()) problem('a session took all of it');
          connection.drop();
        };
        await Promise.all(Array.from({ length: SESSIONS }, attack));
      }));
  }
});
