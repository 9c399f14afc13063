// Frames of WebSocket that no client may send, and what each may.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { OPCODE, flood, fragments, frame, joinByHand, openWebSocket } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const SOCKETS = 4;
const CHUNK_BYTES = 65_536;
const BOUNDS = { bytes: 4_000_000, milliseconds: 5000 };

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
          Array.from({ length: SOCKETS }, () => openWebSocket(podium.url, { localAddress: ATTACKER })),
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
