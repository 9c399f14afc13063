// Floods of every kind of packet over WebSocket. The library starts a task, or takes
// memory, for some of them; all are counted before it sees them, and whoever sends too
// many is closed.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import {
  OPCODE,
  askForWebSocket,
  connectPacket,
  flood,
  fragments,
  frame,
  joinByHand,
  openWebSocket,
} from '../support/raw.mjs';
import { token } from '../support/podium.mjs';
import { connect } from '../support/socket.mjs';
import { podiumForTest } from '../support/suite.mjs';

const SOCKETS = 4;
const CHUNK_BYTES = 65_536;
const BOUNDS = { bytes: 4_000_000, milliseconds: 5000 };

const from = { localAddress: ATTACKER };

/** As many of it as make a chunk. */
const many = (data) => Buffer.concat(Array(Math.ceil(CHUNK_BYTES / data.length)).fill(data));

/** CONNECT to one namespace after the other, none of which there is. */
const namespaces = Buffer.concat(
  Array.from({ length: 4000 }, (_, i) => frame(`40/${i.toString(36)}${'n'.repeat(10)},`)),
);

/** What is repeated without end, and whether the attacker joins before. */
const FLOODS = {
  CONNECT: { data: many(frame('40')) },
  'CONNECT with a payload': { data: many(frame(connectPacket())) },
  'CONNECT after joining': { joined: true, data: many(frame('40')) },
  'CONNECT to other namespaces': { joined: true, data: namespaces },
  'CONNECT in fragments': { data: many(fragments('4', '0')) },
  'leaving and joining': { joined: true, data: many(Buffer.concat([frame('41'), frame(connectPacket())])) },
  leaving: { joined: true, data: many(frame('41')) },
  acknowledgements: { joined: true, data: many(frame('431[]')) },
  'binary attachments': {
    joined: true,
    data: many(
      Buffer.concat([
        frame('451-["ping",{"_placeholder":true,"num":0}]'),
        frame('x', { opcode: OPCODE.binary }),
      ]),
    ),
  },
  'binary messages': { joined: true, data: many(frame('x', { opcode: OPCODE.binary })) },
  events: { joined: true, data: many(frame('42["ping"]')) },
  'pongs that nobody asked for': { joined: true, data: many(frame('3')) },
  'packets without content': { joined: true, data: many(frame('6')) },
  'pings of WebSocket': { joined: true, data: many(frame('x', { opcode: OPCODE.ping })) },
  'pongs of WebSocket': { joined: true, data: many(frame('x', { opcode: OPCODE.pong })) },
  'fragments without content': {
    joined: true,
    data: many(frame('', { opcode: OPCODE.continuation, fin: false })),
    begin: frame('4', { fin: false }),
  },
};

describe('a flood over WebSocket', () => {
  for (const [name, { joined = false, data, begin = '' }] of Object.entries(FLOODS)) {
    it(`of ${name} is cut off, and costs nobody else`, (t) =>
      underAttack(t, {}, async ({ podium, refused }) => {
        const open = joined ? joinByHand : openWebSocket;
        const connections = await Promise.all(
          Array.from({ length: SOCKETS }, () => open(podium.url, from)),
        );
        await Promise.all(
          connections.map(async (connection) => {
            await connection.write(begin);
            await flood(connection, data, BOUNDS);
          }),
        );
        await refused(connections);
      }));
  }

  it('that comes with the head of the request is cut off, and costs nobody else', (t) =>
    underAttack(t, {}, async ({ podium, refused }) => {
      const again = many(frame('40'));
      const behind = Buffer.concat([frame(connectPacket()), again]);
      const connections = await Promise.all(
        Array.from({ length: SOCKETS }, async () => {
          const { connection } = await askForWebSocket(podium.url, { ...from, behind });
          return connection;
        }),
      );
      await Promise.all(connections.map((connection) => flood(connection, again, BOUNDS)));
      await refused(connections);
    }));

  it('is answered with the reason, if it is no flood yet', async (t) => {
    const podium = await podiumForTest(t, { env: { PODIUM_LIMITS__PACKETS_PER_SECOND: '1' } });
    const credentials = token({ user: randomUUID(), role: 'viewer' });
    const socket = await connect(podium.url, { token: credentials });
    const closed = new Promise((resolve) => {
      socket.once('disconnect', (_, { context }) => resolve(context));
    });
    // Ten seconds' worth may come at once.
    for (let i = 0; i < 12; i++) socket.emit('ping');
    const { code, reason } = await closed;
    assert.deepEqual([code, String(reason)], [1008, 'too many packets']);
  });
});
