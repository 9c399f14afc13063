// Clients behind one address, of whom some send as much as each of them may, so that all
// together send more than their address may. It may be anybody's fault: who sends little
// stays connected and up to date, by WebSocket and by polling.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ATTACKER, honestViewer, underAttack } from '../support/attack.mjs';
import { token } from '../support/podium.mjs';
import { frame, joinByHand } from '../support/raw.mjs';
import { ask, connect } from '../support/socket.mjs';

const LOUD = 40;
const ROUNDS = 60;
const ROUND_MS = 100;
/** As much as a session may send all the time, a round. */
const PACKETS_A_ROUND = 5;

const env = {
  PODIUM_LIMITS__PACKETS_PER_SECOND_PER_IP: '100',
  PODIUM_SOCKET__PING_INTERVAL: '1s',
};

describe('clients behind one address', () => {
  for (const transport of ['websocket', 'polling']) {
    it(`cost each other nothing but time, over ${transport}`, (t) =>
      underAttack(t, { env }, async ({ podium, problem, updates }) => {
        const options = { transports: [transport], localAddress: ATTACKER };
        const neighbour = await honestViewer(podium, options);
        const loud = await Promise.all(
          Array.from({ length: LOUD }, () => joinByHand(podium.url, { localAddress: ATTACKER })),
        );
        const packets = Buffer.concat(Array(PACKETS_A_ROUND).fill(frame('3')));
        for (let round = 0; round < ROUNDS; round++) {
          for (const connection of loud) connection.write(packets);
          await sleep(ROUND_MS);
        }
        await neighbour.update();
        await updates(1);
        if (!neighbour.isConnected()) problem('the neighbour was disconnected');
        // It may say something too, and others of the address may come.
        const viewer = token({ user: randomUUID(), role: 'viewer' });
        const late = await connect(podium.url, { token: viewer, ...options });
        assert.equal((await ask(late, 'subscribe_scoreboard')).ok, true);
        for (const connection of loud) connection.drop();
      }));
  }
});
