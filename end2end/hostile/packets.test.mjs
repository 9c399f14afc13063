// Floods of every kind of packet. The library starts a task, or takes memory, for some
// of them; all are counted before it sees them, and whoever sends too many is closed.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { openPolling } from '../support/polling.mjs';
import {
  OPCODE,
  askForWebSocket,
  connectPacket,
  flood,
  frame,
  joinByHand,
  openWebSocket,
} from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const SOCKETS = 4;
const CHUNK_BYTES = 65_536;
const BOUNDS = { bytes: 4_000_000, milliseconds: 5000 };
/** As much as a POST may have. */
const BODY_BYTES = 16_000;

const from = { localAddress: ATTACKER };

/** As many of it as make a chunk. */
const many = (data) => Buffer.concat(Array(Math.ceil(CHUNK_BYTES / data.length)).fill(data));

/** CONNECT to one namespace after the other, none of which there is. */
const namespaces = Buffer.concat(
  Array.from({ length: 4000 }, (_, i) => frame(`40/${i.toString(36)}${'n'.repeat(10)},`)),
);

const fragments = (...parts) =>
  Buffer.concat(
    parts.map((part, i) =>
      frame(part, {
        opcode: i === 0 ? OPCODE.text : OPCODE.continuation,
        fin: i === parts.length - 1,
      }),
    ),
  );

/** What is repeated without end, and whether the attacker joins before. */
const FLOODS = {
  CONNECT: { data: many(frame('40')) },
  'CONNECT with a payload': { data: many(frame(connectPacket())) },
  'CONNECT after joining': { joined: true, data: many(frame('40')) },
  'CONNECT to other namespaces': { data: namespaces },
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
      const behind = many(frame('40'));
      const connections = await Promise.all(
        Array.from({ length: SOCKETS }, async () => {
          const { connection } = await askForWebSocket(podium.url, { ...from, behind });
          return connection;
        }),
      );
      await Promise.all(connections.map((connection) => flood(connection, behind, BOUNDS)));
      await refused(connections);
    }));
});

describe('a flood over polling', () => {
  const bodies = {
    CONNECT: '40',
    'CONNECT with a payload': connectPacket(),
    'CONNECT to other namespaces': '40/elsewhere,',
    events: '42["ping"]',
    leaving: '41',
    acknowledgements: '431[]',
    pongs: '3',
  };
  for (const [name, packet] of Object.entries(bodies)) {
    it(`of ${name} is refused, and costs nobody else`, (t) =>
      underAttack(t, {}, async ({ podium, problem }) => {
        const packets = Array(Math.floor(BODY_BYTES / (packet.length + 1))).fill(packet);
        const floodSession = async () => {
          const session = await openPolling(podium.url);
          const end = performance.now() + BOUNDS.milliseconds;
          for (let sent = 0; sent < BOUNDS.bytes && performance.now() < end; sent += BODY_BYTES) {
            // It is answered with an error once, or the session is no more.
            if (!(await session.send(...packets).then(() => true, () => false))) return;
          }
          problem('a session took all of it');
        };
        await Promise.all(Array.from({ length: SOCKETS }, floodSession));
      }));
  }
});

describe('a frame that no client may send', () => {
  const GIGABYTE = 2 ** 30;
  const frames = {
    'larger than a message may be': { data: frame('x'.repeat(CHUNK_BYTES)) },
    'that says it has a gigabyte': { data: frame('x', { length: GIGABYTE }), rest: Buffer.alloc(CHUNK_BYTES) },
    'without a mask': { data: frame('40', { masked: false }) },
    'of an opcode that there is not': { data: frame('40', { opcode: 0x3 }) },
    'that goes on with no message': { data: frame('40', { opcode: OPCODE.continuation }) },
    'of control that is larger than one may be': {
      data: frame('x'.repeat(1000), { opcode: OPCODE.ping }),
    },
  };
  for (const [name, { data, rest }] of Object.entries(frames)) {
    it(`${name}, closes its connection`, (t) =>
      underAttack(t, {}, async ({ podium, refused }) => {
        const connections = await Promise.all(
          Array.from({ length: SOCKETS }, () => openWebSocket(podium.url, from)),
        );
        for (const connection of connections) {
          await connection.write(data);
          if (rest) await flood(connection, rest, BOUNDS);
        }
        await refused(connections);
      }));
  }
});

describe('a message in fragments', () => {
  it('is taken as any other', async (t) => {
    const podium = await podiumForTest(t);
    const connection = await joinByHand(podium.url);
    await connection.write(fragments('42', '["pi', 'ng', '"]'));
    await connection.readUntil('42["pong"');
    assert.ok(connection.isOpen);
    connection.drop();
  });
});
