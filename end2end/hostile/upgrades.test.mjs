// A session that was opened by polling goes on by one WebSocket, whatever is asked.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';

import { ATTACKER, underAttack } from '../support/attack.mjs';
import { token } from '../support/podium.mjs';
import { openPolling } from '../support/polling.mjs';
import { askForWebSocket, frame, openAfter } from '../support/raw.mjs';
import { podiumForTest } from '../support/suite.mjs';

const UPGRADES = 125;
const SESSIONS = 3;
const CLOSED_WITHIN_MS = 3000;

/** Where the WebSocket of a session is asked for. */
function upgradePath(session) {
  const sid = new URL(session.url).searchParams.get('sid');
  return `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
}

async function joinByPolling(podium) {
  const session = await openPolling(podium.url);
  await session.connect(token({ user: randomUUID(), role: 'viewer' }));
  return session;
}

/** A WebSocket of the session that begins as those of stock clients do, if it gets one. */
async function upgrade(podium, session, options) {
  const asked = askForWebSocket(podium.url, { path: upgradePath(session), ...options });
  const { connection, status } = await asked.catch(() => ({}));
  if (status === 101) {
    await connection.write(frame('2probe'));
    return connection;
  }
  connection?.drop();
  return undefined;
}

describe('many upgrades of a session', () => {
  it('leave it one WebSocket', (t) =>
    underAttack(t, {}, async ({ podium, problem }) => {
      const attack = async () => {
        const session = await joinByPolling(podium);
        const upgrades = Array.from({ length: UPGRADES }, () =>
          upgrade(podium, session, { localAddress: ATTACKER }),
        );
        const connections = (await Promise.all(upgrades)).filter((connection) => connection);
        const open = await openAfter(connections, CLOSED_WITHIN_MS, 1);
        if (open > 1) problem(`${open} of ${UPGRADES} are open`);
        for (const connection of connections) connection.drop();
      };
      await Promise.all(Array.from({ length: SESSIONS }, attack));
    }));

  it('are refused after it was upgraded, and it goes on', async (t) => {
    const podium = await podiumForTest(t);
    const session = await joinByPolling(podium);
    const connection = await upgrade(podium, session);
    await connection.readUntil('3probe');
    await connection.write(frame('5'));
    await connection.write(frame('42["ping"]'));
    await connection.readUntil('42["pong"');
    for (let i = 0; i < 10; i++) {
      const another = await upgrade(podium, session);
      if (another) assert.equal(await openAfter([another], CLOSED_WITHIN_MS), 0);
    }
    connection.received = '';
    await connection.write(frame('42["ping"]'));
    await connection.readUntil('42["pong"');
    connection.drop();
  });
});
